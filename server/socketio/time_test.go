package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// pipes is a listener of net.Pipe, which, unlike a socket, works under the clock
// of testing/synctest.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// inBubble runs f with a server whose time is testing/synctest's.
func inBubble(t *testing.T, opts socketio.Options, f func(t *testing.T, io *socketio.Server, dial engineiotest.Options)) {
	synctest.Test(t, func(t *testing.T) {
		io := socketio.New(opts)
		p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		hs := &http.Server{Handler: io}
		go hs.Serve(p)
		f(t, io, engineiotest.Options{Dial: p.dial})
		if err := io.Close(t.Context()); err != nil {
			t.Error(err)
		}
		hs.Close()
	})
}

const endpoint = "http://pipe/socket.io/"

func TestConnectTimeout(t *testing.T) {
	closed := make(chan engineio.Reason, 2)
	hooks := engineio.Hooks{SessionClosed: func(_ *engineio.Session, r engineio.Reason, _ error) { closed <- r }}
	inBubble(t, socketio.Options{ConnectTimeout: 20 * time.Second, Engine: engineio.Options{Hooks: hooks}}, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
		io.Namespace("/").Handle("echo", echo)
		start := time.Now()
		silent := engineiotest.Dial(t, endpoint, opts)
		refused := engineiotest.Dial(t, endpoint, opts)
		socketiotest.Join(t, refused, "/nowhere", nil)
		good, _ := socketiotest.Join(t, engineiotest.Dial(t, endpoint, opts), "/", nil)
		for _, c := range []*engineiotest.Conn{silent, refused} {
			c.End()
			if got := time.Since(start); got != 20*time.Second {
				t.Errorf("closed after %v", got)
			}
			if got := <-closed; got != engineio.ReasonForcedClose {
				t.Errorf("reason %q", got)
			}
		}
		time.Sleep(time.Minute)
		if got := text(good.EmitAck("echo", "alive")); got != `["alive"]` {
			t.Errorf("got %s", got)
		}
	})
}

// A session without a namespace ends after ConnectTimeout, whatever it has been
// connected to before and whatever it asks for meanwhile.
func TestConnectTimeoutAgain(t *testing.T) {
	join := func(t *testing.T, c *engineiotest.Conn, name string) *socketiotest.Client {
		client, refusal := socketiotest.Join(t, c, name, nil)
		if refusal != nil {
			t.Fatalf("%s: refused %s", name, refusal)
		}
		return client
	}
	for _, tc := range []struct {
		name  string
		after time.Duration // since the client connected
		do    func(t *testing.T, io *socketio.Server, c *engineiotest.Conn)
	}{
		{"left", 30 * time.Second, func(t *testing.T, _ *socketio.Server, c *engineiotest.Conn) {
			client := join(t, c, "/")
			time.Sleep(10 * time.Second)
			client.Leave()
		}},
		{"left one of two", 40 * time.Second, func(t *testing.T, _ *socketio.Server, c *engineiotest.Conn) {
			first, second := join(t, c, "/"), join(t, c, "/other")
			time.Sleep(10 * time.Second)
			first.Leave()
			time.Sleep(10 * time.Second)
			second.Leave()
		}},
		{"disconnected by the server", 30 * time.Second, func(t *testing.T, io *socketio.Server, c *engineiotest.Conn) {
			client := join(t, c, "/")
			time.Sleep(10 * time.Second)
			io.Namespace("/").Socket(client.SID).Disconnect(false)
			client.ExpectDisconnect()
		}},
		{"joined again, and left", 35 * time.Second, func(t *testing.T, _ *socketio.Server, c *engineiotest.Conn) {
			join(t, c, "/").Leave()
			time.Sleep(15 * time.Second)
			join(t, c, "/").Leave()
		}},
		{"refused again and again", 20 * time.Second, func(t *testing.T, _ *socketio.Server, c *engineiotest.Conn) {
			for range 3 {
				time.Sleep(5 * time.Second)
				socketiotest.Join(t, c, "/members", nil)
			}
		}},
		{"left, and refused", 20 * time.Second, func(t *testing.T, _ *socketio.Server, c *engineiotest.Conn) {
			join(t, c, "/").Leave()
			time.Sleep(15 * time.Second)
			socketiotest.Join(t, c, "/nowhere", nil)
		}},
		{"never decided about", 20 * time.Second, func(t *testing.T, _ *socketio.Server, c *engineiotest.Conn) {
			time.Sleep(15 * time.Second)
			c.SendText("0/slow,")
		}},
		{"left while attachments were awaited", 30 * time.Second, func(t *testing.T, io *socketio.Server, c *engineiotest.Conn) {
			client := join(t, c, "/")
			c.SendText(`51-["echo",{"_placeholder":true,"num":0}]`)
			time.Sleep(10 * time.Second)
			io.Namespace("/").Socket(client.SID).Disconnect(false)
			client.ExpectDisconnect()
			c.SendBinary([]byte("x"))
		}},
	} {
		for _, polling := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, polling %v", tc.name, polling), func(t *testing.T) {
				inBubble(t, socketio.Options{ConnectTimeout: 20 * time.Second}, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
					io.Namespace("/").Handle("echo", echo)
					io.Namespace("/other")
					io.Namespace("/members").Use(func(context.Context, *socketio.Socket) error { return errors.New("no") })
					io.Namespace("/slow").Use(func(ctx context.Context, _ *socketio.Socket) error { <-ctx.Done(); return ctx.Err() })
					opts.Polling = polling
					start := time.Now()
					c := engineiotest.Dial(t, endpoint, opts)
					tc.do(t, io, c)
					c.End()
					if got := time.Since(start).Round(time.Second); got != tc.after {
						t.Errorf("ended after %v, want %v", got, tc.after)
					}
					synctest.Wait() // the client may see the end before it is counted
					if n := io.LimitCounts().ConnectTimeouts; n != 1 {
						t.Errorf("%d connect timeouts are counted", n)
					}
				})
			})
		}
	}
}

// Attachments that do not come in time end the connection, even if the client connects to
// another namespace while they are awaited.
func TestAttachmentTimeout(t *testing.T) {
	inBubble(t, socketio.Options{AttachmentTimeout: 20 * time.Second}, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
		io.Namespace("/slow").Use(func(context.Context, *socketio.Socket) error { time.Sleep(time.Second); return nil })
		io.Namespace("/").Handle("echo", echo)
		conn := engineiotest.Dial(t, endpoint, opts)
		c, _ := socketiotest.Join(t, conn, "/", nil)
		c.SendText(`51-0["echo",{"_placeholder":true,"num":0}]`)
		time.Sleep(19 * time.Second)
		c.SendBinary([]byte("x"))
		if got := c.Text(); got != `61-0[{"_placeholder":true,"num":0}]` {
			t.Errorf("in time: got %s", got)
		}
		conn.Next()
		time.Sleep(time.Minute)

		conn.SendText("0/slow,")
		conn.SendText(`51-["echo",{"_placeholder":true,"num":0}]`)
		start := time.Now()
		conn.Text() // the slow namespace
		conn.End()
		if got := time.Since(start); got != 20*time.Second {
			t.Errorf("closed after %v", got)
		}
	})
}

// EmitWithAck over many ends with the operator's timeout, or after 5 s.
func TestAckTimeout(t *testing.T) {
	inBubble(t, socketio.Options{}, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
		socketiotest.Join(t, engineiotest.Dial(t, endpoint, opts), "/", nil)
		for want, o := range map[time.Duration]socketio.Operator{
			5 * time.Second: io.Namespace("/").All(),
			time.Second:     io.Namespace("/").All().Timeout(time.Second),
		} {
			start := time.Now()
			answers, err := o.EmitWithAck(t.Context(), "q")
			if got := time.Since(start); err == nil || len(answers) != 0 || got != want {
				t.Errorf("%v, %v after %v, want %v", answers, err, got, want)
			}
		}
	})
}
