package redisadapter_test

import (
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// TLS lies below what the contract is about, which TestContractRedis runs: what goes over
// it is whole, also if it has many records, and so is what comes back; and a connection
// that breaks is made again.
func TestTLS(t *testing.T) {
	t.Parallel()
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.StartTLS(t)
			opts.Redis = &redis.UniversalOptions{Addrs: []string{server.Addr()}, TLSConfig: server.TLS()}
			p := startTwo(t, opts)
			p.works(t, "the start")
			large := strings.Repeat("x", 1<<20)
			if err := p.says(t, "r", large); err != nil {
				t.Errorf("a large message: %v", err)
			}
			adaptertest.Eventually(t, "the large message is there", func() bool { return p.heard("r", large) })
			server.Kill()
			p.fails(t)
			server.Up()
			p.works(t, "the restart of Redis")
			server.Pause()
			p.fails(t)
			server.Resume()
			p.works(t, "the end of the pause")
			p.inOrder(t)
		})
	}
}

// If the certificate is of an untrusted authority, or the server does not speak TLS,
// Redis counts as away, and the health says why.
func TestTLSRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, url string
		is        func(error) bool
		says      string
	}{
		{"unknown authority", redistest.StartTLS(t).URL(), func(err error) bool {
			var unknown x509.UnknownAuthorityError
			return errors.As(err, &unknown)
		}, "certificate signed by unknown authority"},
		{"no TLS", "rediss://" + redistest.Start(t).Addr(), func(err error) bool { return err != nil }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var reason error
			opts := redisadapter.Options{URL: tc.url}
			opts.Hooks.Dropped = func(_ int, err error) { mu.Lock(); defer mu.Unlock(); reason = err }
			p := startTwo(t, opts)
			p.fails(t)
			mu.Lock()
			defer mu.Unlock()
			if !errors.Is(reason, adapter.ErrUnavailable) || !tc.is(reason) {
				t.Errorf("messages were dropped because of %v", reason)
			}
			adaptertest.Eventually(t, "the health says why", func() bool {
				return strings.Contains(p.clusters[0].Health().Reason, tc.says)
			})
		})
	}
}
