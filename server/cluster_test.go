package server_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/servertest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/waittest"
)

// startNode starts a node of a cluster, which stops with the test.
func startNode(t *testing.T, url string) *servertest.Node {
	t.Helper()
	return servertest.Start(t, "REDIS_URL="+url)
}

func notify(t *testing.T, srv *servertest.Node, user string) bool {
	t.Helper()
	sent, err := srv.Service().PublishNotification(t.Context(), &realtime.Notification{
		TargetUserID: ident.Of(user), Type: "INFO", Title: "hello",
	})
	if err != nil {
		t.Fatal(err)
	}
	return sent.Delivered
}

// A node asks the servers of the cluster that take no part in the presence, such as
// Node's, whether a user is connected there.
func TestDeliveredByServersWithoutPresence(t *testing.T) {
	r := redistest.Start(t)
	srv := startNode(t, r.URL())
	waittest.Until(t, "the node is connected", func() bool { return srv.Service().HealthCheck().Degraded == nil })
	if notify(t, srv, "bob") {
		t.Error("delivered to nobody")
	}

	cluster, err := redisadapter.New(redisadapter.Options{URL: r.URL()})
	if err != nil {
		t.Fatal(err)
	}
	stranger := socketio.New(socketio.Options{Adapter: cluster.Factory()})
	stranger.Namespace("/").OnConnect(func(ctx context.Context, s *socketio.Socket) error {
		if err := s.Join(ctx, "user:bob"); err != nil {
			return err
		}
		return s.Emit(ctx, "ready")
	})
	web := httptest.NewServer(stranger)
	defer func() {
		stranger.Close(context.Background())
		cluster.Close()
		web.Close()
	}()
	bob := raw.Connect(t, web.URL, raw.Options{})
	bob.Next("ready")
	waittest.Until(t, "delivered by the stranger", func() bool { return notify(t, srv, "bob") })
	bob.Next("notification")
	if notify(t, srv, "nobody") {
		t.Error("delivered to nobody")
	}
	bob.Close()
	waittest.Until(t, "not delivered once bob is gone", func() bool { return !notify(t, srv, "bob") })
}

// If a server does not answer, a node waits for it only for a bounded time.
func TestDeliveredIsBounded(t *testing.T) {
	r := redistest.Start(t)
	srv := startNode(t, r.URL())
	waittest.Until(t, "the node is connected", func() bool { return srv.Service().HealthCheck().Degraded == nil })
	client := redis.NewClient(&redis.Options{Addr: r.Addr(), Protocol: 2})
	defer client.Close()
	silent := client.Subscribe(t.Context(), "socket.io-request#/#")
	defer silent.Close()
	if _, err := silent.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := make(chan bool)
	go func() {
		defer close(asked)
		for m := range silent.Channel() {
			if m != nil {
				return
			}
		}
	}()
	for end := time.Now().Add(raw.Timeout); ; {
		before := time.Now()
		if notify(t, srv, "bob") {
			t.Fatal("delivered to nobody")
		}
		if took := time.Since(before); took > 5*time.Second {
			t.Fatalf("the answer took %v", took)
		}
		select {
		case <-asked:
			return
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatal("the other server was never asked")
		}
	}
}
