package compare

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrNoRedis is returned if a workload needs a cluster and redis-server is not installed.
var ErrNoRedis = errors.New("compare: redis-server is not installed")

const redisServer = "redis-server"

// requests is the channel that every node subscribes to. Nodes of the classic adapter count each other by its subscribers.
const requests = "socket.io-request#/#"

// startRedis starts a redis-server with default settings, but without persistence, on a free port.
func startRedis(ctx context.Context) (*process, error) {
	return launch(redisServer, func(port string) *exec.Cmd {
		return exec.CommandContext(ctx, redisServer, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
	})
}

// assembled waits until n nodes have subscribed to requests.
func assembled(ctx context.Context, addr string, n int) error {
	client := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
	defer client.Close()
	var found int64
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); {
		counts, err := client.PubSubNumSub(ctx, requests).Result()
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if found = counts[requests]; found == int64(n) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%w: %d of %d nodes are on Redis after %v", ErrStart, found, n, startLimit)
}
