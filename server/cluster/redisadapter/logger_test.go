package redisadapter_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/socketio"
)

// A program whose Redis is away has nothing of go-redis on its standard error,
// unless it asks for it. Each case is a process, since go-redis has one log in each.
func TestNothingOnStandardError(t *testing.T) {
	const variable = "PUENTE_TEST_STDERR"
	if how := os.Getenv(variable); how != "" {
		awayFor(how)
		return
	}
	t.Parallel()
	for how, want := range map[string]string{"default": "", "keep": "redis: ", "own": "the program's own log"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingOnStandardError$")
		cmd.Env = append(os.Environ(), variable+"="+how)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			t.Errorf("%s: %v, %s", how, err, &stderr)
		}
		if got := stderr.String(); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: standard error %q, want %q", how, got, want)
		}
	}
}

type ownLog struct{}

func (ownLog) Printf(context.Context, string, ...any) {
	os.Stderr.WriteString("the program's own log\n")
}

// awayFor is the process: a server without its Redis.
func awayFor(how string) {
	logging.Enable() // which it is in a program that does nothing about it
	if how == "own" {
		redis.SetLogger(ownLog{})
	}
	degraded := make(chan bool, 1)
	cluster, err := redisadapter.New(redisadapter.Options{
		URL: "redis://127.0.0.1:1", KeepRedisLog: how != "default",
		Hooks: redisadapter.Hooks{Health: func(h redisadapter.Health) {
			select {
			case degraded <- h.Degraded:
			default:
			}
		}},
	})
	if err != nil {
		panic(err)
	}
	io := socketio.New(socketio.Options{Adapter: cluster.Factory()})
	io.Namespace("/").Emit(context.Background(), "x")
	select {
	case <-degraded:
	case <-time.After(10 * time.Second):
	}
	io.Close(context.Background())
	cluster.Close()
}
