package redisbus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"
)

// redirectLog redirects go-redis's log from the standard error, which a library must not
// write to, to slog's default logger at level Debug. Hooks report failures. All clients
// of the process share that log, and go-redis does not say which it is. So this is done
// once, and [Options.KeepRedisLog] prevents it.
var redirectLog = sync.OnceFunc(func() { redis.SetLogger(redisLog{}) })

type redisLog struct{}

func (redisLog) Printf(ctx context.Context, format string, args ...any) {
	if slog.Default().Enabled(ctx, slog.LevelDebug) {
		slog.DebugContext(ctx, "redisbus: go-redis: "+fmt.Sprintf(format, args...))
	}
}
