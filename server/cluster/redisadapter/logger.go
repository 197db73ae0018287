package redisadapter

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"
)

// quiet takes go-redis's own log away from the standard error, which a library must not
// write to: its lines go to slog's default logger at level Debug. What fails is
// reported by Hooks. That logger is one for all clients of the process, and there
// is no way to ask for it; so this is done once, and [Options.KeepRedisLog] leaves
// it alone.
var quiet = sync.OnceFunc(func() { redis.SetLogger(redisLog{}) })

type redisLog struct{}

func (redisLog) Printf(ctx context.Context, format string, args ...any) {
	if slog.Default().Enabled(ctx, slog.LevelDebug) {
		slog.DebugContext(ctx, "redisadapter: go-redis: "+fmt.Sprintf(format, args...))
	}
}
