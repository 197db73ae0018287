package redisadapter_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// lateness makes a node read late what comes on subscribed connections, as if it was
// short of CPU.
type lateness struct {
	mu   sync.Mutex
	wait chan struct{} // closed when reading goes on; nil if nothing is late
}

func (l *lateness) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wait = make(chan struct{})
}

func (l *lateness) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wait != nil {
		close(l.wait)
		l.wait = nil
	}
}

func (l *lateness) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &lateConn{Conn: conn, late: l, closed: make(chan struct{})}, nil
}

type lateConn struct {
	net.Conn
	late   *lateness
	once   sync.Once
	closed chan struct{}

	mu         sync.Mutex
	subscribed bool
}

func (c *lateConn) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("subscribe")) {
		c.mu.Lock()
		c.subscribed = true
		c.mu.Unlock()
	}
	return c.Conn.Write(b)
}

func (c *lateConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	subscribed := c.subscribed
	c.mu.Unlock()
	c.late.mu.Lock()
	wait := c.late.wait
	c.late.mu.Unlock()
	if subscribed && wait != nil {
		select {
		case <-wait:
		case <-c.closed:
		}
	}
	return n, err
}

func (c *lateConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A node may read late that its subscription has ended, or read its own echo late. It does
// not conclude that it uses two Redis servers: it refuses no message and cuts no
// connection except the one that has ended.
func TestLateReaderIsNotDivided(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"the subscription has ended": true, "the subscription is there": false} {
		t.Run(name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
				server.Up()
				late := new(lateness)
				defer late.end()
				var mu sync.Mutex
				var reasons []string
				opts.URL = ""
				opts.Redis = &redis.UniversalOptions{Addrs: []string{server.Addr()}}
				punctual := start(t, opts)
				there := adaptertest.Start(t, punctual.Factory(), "/")
				socket := there.Connect("there", "r")
				opts.Redis = &redis.UniversalOptions{Addrs: []string{server.Addr()}, Dialer: late.dial, ClientName: "late"}
				opts.Hooks.Health = func(h redisadapter.Health) {
					mu.Lock()
					defer mu.Unlock()
					reasons = append(reasons, h.Reason)
				}
				c := start(t, opts)
				n := adaptertest.Start(t, c.Factory(), "/")
				publish := func() error {
					fate := make(chan error, 1)
					flags := adapter.Flags{Accepted: adapter.OnAcceptance(func(err error) { fate <- err })}
					if err := n.Adapter.Broadcast(t.Context(), event(`["e"]`), roomR, flags); err != nil {
						return err
					}
					return <-fate
				}
				adaptertest.Eventually(t, "the node is there", func() bool {
					count, err := n.Adapter.ServerCount(t.Context())
					return err == nil && count == 2 && well(c) && well(punctual)
				})
				adaptertest.Eventually(t, "the other is reached", func() bool { publish(); return socket.Len() > 0 })
				for range 4 {
					late.begin()
					if ends {
						killSubscriber(t, server, "late")
					}
					for end := time.Now().Add(1300 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
						if err := publish(); err != nil {
							t.Errorf("a message was refused: %v", err)
							break
						}
					}
					late.end()
					adaptertest.Eventually(t, "the node is there again", func() bool {
						count, err := n.Adapter.ServerCount(t.Context())
						return err == nil && count == 2 && well(c)
					})
				}
				mu.Lock()
				defer mu.Unlock()
				for _, r := range reasons {
					if strings.Contains(r, "different Redis servers") || strings.Contains(r, "come back") {
						t.Errorf("health said: %s", r)
					}
				}
			})
		})
	}
}

// killSubscriber ends the subscribed connections of the clients with a name.
func killSubscriber(t *testing.T, server *redistest.Server, name string) {
	t.Helper()
	client := server.Client()
	defer client.Close()
	list, err := client.Do(t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for line := range strings.Lines(list) {
		id, rest, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
		if strings.Contains(rest, " name="+name+" ") {
			server.Do("CLIENT", "KILL", "ID", id)
			killed++
		}
	}
	if killed == 0 {
		t.Fatalf("%s has no subscription: %s", name, list)
	}
}
