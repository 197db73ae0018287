package redislink

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// AnyMaster returns the n-th master of a Redis Cluster, modulo their number. It does not
// check that the master can be reached.
func AnyMaster(ctx context.Context, cluster *redis.ClusterClient, n int) (*redis.Client, error) {
	var mu sync.Mutex
	var masters []*redis.Client
	err := cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		masters = append(masters, c)
		return nil
	})
	if len(masters) == 0 {
		if err == nil {
			err = Problem("the Redis Cluster has no masters")
		}
		return nil, err
	}
	slices.SortFunc(masters, func(a, b *redis.Client) int { return strings.Compare(a.Options().Addr, b.Options().Addr) })
	return masters[n%len(masters)], nil
}

// Reload makes the client of a Redis Cluster query the slots again. With other kinds of
// Redis it does nothing.
func Reload(ctx context.Context, client redis.UniversalClient) {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}
