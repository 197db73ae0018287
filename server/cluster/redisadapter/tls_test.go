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

func TestTLS(t *testing.T) {
	server := redistest.StartTLS(t)
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			opts := opts
			opts.Redis = &redis.UniversalOptions{Addrs: []string{server.Addr()}, TLSConfig: server.TLS()}
			contract(t, opts)
		})
	}
}

func TestTLSRestart(t *testing.T) {
	server := redistest.StartTLS(t)
	p := startTwo(t, redisadapter.Options{Redis: &redis.UniversalOptions{Addrs: []string{server.Addr()}, TLSConfig: server.TLS()}})
	p.works(t, "the start")
	server.Kill()
	p.fails(t)
	server.Up()
	p.works(t, "the restart of Redis")
	server.Pause()
	p.fails(t)
	server.Resume()
	p.works(t, "the end of the pause")
	p.inOrder(t)
}

// If the certificate is of an untrusted authority, or the server does not speak TLS,
// Redis counts as away, and the health says why.
func TestTLSRefused(t *testing.T) {
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
