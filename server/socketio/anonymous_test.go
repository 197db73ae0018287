package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/msgpack"
	"github.com/puente-io/puente/server/socketio/packet"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// anonymously starts a server whose sockets in the root namespace start anonymous. A
// socket stops being anonymous if CONNECT has "known", or a moment after the event
// "known".
func anonymously(t testing.TB, most int) *socketiotest.Server {
	srv := serve(t, socketio.Options{MaxAnonymousBytes: most, Engine: protocol3.Engine})
	ns := srv.IO.Namespace("/")
	ns.StartAnonymous()
	ns.Use(func(_ context.Context, s *socketio.Socket) error {
		auth := string(s.Handshake().Auth.JSON)
		if strings.Contains(auth, "known") {
			s.SetAnonymous(false)
		}
		if strings.Contains(auth, "refuse") {
			return errors.New("no")
		}
		return nil
	})
	ns.Handle("known", socketio.Do(func(_ context.Context, s *socketio.Socket, known bool) error {
		time.Sleep(10 * time.Millisecond)
		s.SetAnonymous(!known)
		return nil
	}))
	ns.Handle("size", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		n := len(e.Arg(0).JSON)
		for _, a := range e.Arg(0).Attachments {
			n += len(a)
		}
		e.Return(n)
		return nil
	}))
	srv.IO.Namespace("/open").Handle("echo", echo)
	return srv
}

// The bytes that the server keeps of an anonymous client are bounded, for whatever purpose
// it keeps them. When the client is no longer anonymous, the bound ends.
func TestAnonymousBound(t *testing.T) {
	const most = 2000
	large := strings.Repeat("x", 5000)
	connect := func(t *testing.T, c *engineiotest.Conn, name string, auth any) *socketiotest.Client {
		client, refusal := socketiotest.Join(t, c, name, auth)
		if refusal != nil {
			t.Fatalf("refused: %s", refusal)
		}
		return client
	}
	root := func(t *testing.T, c *engineiotest.Conn) *socketiotest.Client { return connect(t, c, "/", nil) }
	size := func(t *testing.T, c *socketiotest.Client) {
		t.Helper()
		if got := text(c.EmitAck("size", large)); got != "[5002]" {
			t.Errorf("%s bytes came", got)
		}
	}
	announce := func(n int) string {
		places := make([]string, n)
		for i := range n {
			places[i] = fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i)
		}
		return fmt.Sprintf(`5%d-0["size",[%s]]`, n, strings.Join(places, ","))
	}
	for name, tc := range map[string]struct {
		ends bool
		do   func(t *testing.T, c *engineiotest.Conn)
	}{
		"before CONNECT": {true, func(t *testing.T, c *engineiotest.Conn) { c.SendText("0" + large) }},
		"a payload":      {true, func(t *testing.T, c *engineiotest.Conn) { c.SendText(`0{"a":"` + large + `"}`) }},
		"an event":       {true, func(t *testing.T, c *engineiotest.Conn) { root(t, c).Emit("size", large) }},
		"attachments in parts": {true, func(t *testing.T, c *engineiotest.Conn) {
			root(t, c)
			c.SendText(announce(3))
			for range 3 {
				c.SendBinary([]byte(large[:900]))
			}
		}},
		"attachments within the bound, again and again": {false, func(t *testing.T, c *engineiotest.Conn) {
			client := root(t, c)
			for range 5 {
				c.SendText(announce(2))
				for range 2 {
					c.SendBinary([]byte(large[:500]))
				}
				if got := client.Text(); got != "30[1061]" {
					t.Errorf("got %s", got)
				}
			}
		}},
		"known by CONNECT": {false, func(t *testing.T, c *engineiotest.Conn) {
			size(t, connect(t, c, "/", map[string]bool{"known": true}))
		}},
		"known by an event, and at once": {false, func(t *testing.T, c *engineiotest.Conn) {
			client := root(t, c)
			client.Emit("known", true)
			size(t, client)
		}},
		"known by an event, and no more": {true, func(t *testing.T, c *engineiotest.Conn) {
			client := root(t, c)
			client.EmitAck("known", true)
			size(t, client)
			client.EmitAck("known", false)
			client.Emit("size", large)
		}},
		"known, and left": {true, func(t *testing.T, c *engineiotest.Conn) {
			client := connect(t, c, "/", map[string]bool{"known": true})
			size(t, client)
			client.Leave()
			root(t, c).Emit("size", large)
		}},
		"known, but refused": {true, func(t *testing.T, c *engineiotest.Conn) {
			socketiotest.Join(t, c, "/", map[string]bool{"known": true, "refuse": true})
			root(t, c).Emit("size", large)
		}},
		"another namespace": {false, func(t *testing.T, c *engineiotest.Conn) {
			client := root(t, c)
			open := connect(t, c, "/open", nil)
			open.EmitAck("echo", large)
			size(t, client)
		}},
		"another namespace that was left": {true, func(t *testing.T, c *engineiotest.Conn) {
			client := root(t, c)
			connect(t, c, "/open", nil).Leave()
			client.Emit("size", large)
		}},
	} {
		for _, polling := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, polling %v", name, polling), func(t *testing.T) {
				srv := anonymously(t, most)
				c := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{Polling: polling})
				tc.do(t, c)
				if tc.ends {
					c.End()
					return
				}
				if _, refusal := socketiotest.Join(t, c, "/nowhere", nil); refusal == nil {
					t.Error("not refused")
				}
			})
		}
	}
	t.Run("off", func(t *testing.T) {
		srv := anonymously(t, 0)
		size(t, dial(t, srv))
	})
}

// The bound holds for what the server keeps, which is longer than what the client has sent
// if that was MessagePack, or the query of a namespace.
func TestAnonymousBoundOfText(t *testing.T) {
	no := make([]bool, 1000) // 1 byte each as MessagePack, and 6 as JSON
	for name, tc := range map[string]struct {
		ends bool
		do   func(t *testing.T, srv *socketiotest.Server) *engineiotest.Conn
	}{
		"a payload": {true, func(t *testing.T, srv *socketiotest.Server) *engineiotest.Conn {
			c := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
			p := packet.Packet{Type: packet.Connect, Namespace: "/", Data: []byte(`{"a":[` + strings.Repeat("false,", 999) + `false]}`)}
			msg, err := msgpack.Append(nil, &p)
			if err != nil || len(msg) > 2000 {
				t.Fatalf("%d bytes, %v", len(msg), err)
			}
			c.SendBinary(msg)
			return c
		}},
		"an event": {true, func(t *testing.T, srv *socketiotest.Server) *engineiotest.Conn {
			c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Msgpack: true})
			c.Emit("size", no)
			return c.Conn
		}},
		"an event of a client that is known by the one before": {false, func(t *testing.T, srv *socketiotest.Server) *engineiotest.Conn {
			c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Msgpack: true})
			c.Emit("known", true)
			if got := text(c.EmitAck("size", no)); got != "[6001]" {
				t.Errorf("%s bytes came", got)
			}
			return c.Conn
		}},
		"a query": {true, func(t *testing.T, srv *socketiotest.Server) *engineiotest.Conn {
			c := dial3(t, srv, nil)
			wantText(t, c, "0")
			c.SendText("0/open?" + strings.Repeat("\x01", 1000) + ",")
			return c
		}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := anonymously(t, 2000)
			c := tc.do(t, srv)
			if tc.ends {
				c.End()
			}
		})
	}
}

// The events of an anonymous client that wait for a handler are bounded, too.
func TestAnonymousInbox(t *testing.T) {
	srv := anonymously(t, 10_000)
	ns := srv.IO.Namespace("/")
	busy := make(chan struct{})
	ns.Handle("busy", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error { <-busy; return nil }))
	c := dial(t, srv)
	c.Emit("busy")
	for range 20 {
		c.Emit("e", strings.Repeat("x", 1000))
	}
	stopped(t, srv.IO)
	close(busy)
	c.EmitAck("size", "x")
}

// While an anonymous client does not read its refusals, the server does not read more than
// the bound from it: each refusal repeats the namespace's name, which may be long.
func TestAnonymousRefusals(t *testing.T) {
	opts := socketio.Options{MaxAnonymousBytes: 4000, Engine: engineio.Options{PingInterval: time.Hour, SlowTimeout: time.Hour}}
	inBubble(t, opts, func(t *testing.T, _ *socketio.Server, opts engineiotest.Options) {
		client := &http.Client{Transport: &http.Transport{DialContext: opts.Dial}}
		defer client.CloseIdleConnections()
		request := func(method, query, body string) string {
			r, err := http.NewRequest(method, endpoint+"?EIO=4&transport=polling"+query, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return ""
			}
			defer res.Body.Close()
			answer, err := io.ReadAll(res.Body)
			if err != nil {
				t.Error(err)
			}
			return string(answer)
		}
		_, after, _ := strings.Cut(request("GET", "", ""), `"sid":"`)
		sid, _, _ := strings.Cut(after, `"`)
		var posted atomic.Int64
		var posting sync.WaitGroup
		posting.Go(func() {
			for range 5 {
				request("POST", "&sid="+sid, "40/"+strings.Repeat("x", 3000)+",")
				posted.Add(1)
			}
		})
		synctest.Wait()
		if n := posted.Load(); n != 2 { // 3000 bytes queued are fewer than the bound, 6000 are not
			t.Errorf("%d requests were read", n)
		}
		for refused := 0; refused < 5; {
			refused += strings.Count(request("GET", "&sid="+sid, ""), "Invalid namespace")
		}
		posting.Wait()
	})
}

// AnonymousSince does not change when a client leaves the namespace and joins it again.
func TestAnonymousSince(t *testing.T) {
	srv := anonymously(t, 0)
	ns := srv.IO.Namespace("/")
	c, s := pair(t, srv, socketiotest.Options{})
	since := s.AnonymousSince()
	if since.IsZero() || time.Since(since) > engineiotest.Wait {
		t.Fatalf("anonymous since %v", since)
	}
	c.Leave()
	c, _ = socketiotest.Join(t, c.Conn, "/", nil)
	s = ns.Socket(c.SID)
	if got := s.AnonymousSince(); !got.Equal(since) {
		t.Errorf("anonymous since %v, and again since %v", since, got)
	}
	s.SetAnonymous(false)
	if got := s.AnonymousSince(); !got.IsZero() {
		t.Errorf("known, and anonymous since %v", got)
	}
	s.SetAnonymous(true)
	if got := s.AnonymousSince(); !got.After(since) {
		t.Errorf("anonymous again since %v", got)
	}
	s.SetAnonymous(false)
	c.Leave()
	c, _ = socketiotest.Join(t, c.Conn, "/", nil)
	if got := ns.Socket(c.SID).AnonymousSince(); !got.After(since) {
		t.Errorf("after it was known, anonymous since %v", got)
	}
}

// After ForgetAuth the payload of CONNECT is available to middleware and OnConnect, and
// not later.
func TestForgetAuth(t *testing.T) {
	for _, forget := range []bool{false, true} {
		srv := serve(t, socketio.Options{})
		ns := srv.IO.Namespace("/")
		auth := func(s *socketio.Socket) string { return string(s.Handshake().Auth.JSON) }
		const sent = `{"token":"t"}`
		ns.Use(func(_ context.Context, s *socketio.Socket) error {
			if forget {
				s.ForgetAuth()
			}
			return nil
		})
		ns.Use(func(_ context.Context, s *socketio.Socket) error {
			if got := auth(s); got != sent {
				t.Errorf("the middleware: %s", got)
			}
			return nil
		})
		ns.OnConnect(func(_ context.Context, s *socketio.Socket) error {
			if got := auth(s); got != sent {
				t.Errorf("OnConnect: %s", got)
			}
			return nil
		})
		ns.Handle("auth", socketio.HandlerFunc(func(_ context.Context, s *socketio.Socket, e *socketio.Event) error {
			e.Return(s.Handshake().Auth)
			return nil
		}))
		c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Auth: map[string]string{"token": "t"}})
		want := "[" + sent + "]"
		if forget {
			want = "[{}]"
		}
		if got := text(c.EmitAck("auth")); got != want {
			t.Errorf("forget %v: %s", forget, got)
		}
		s := ns.Socket(c.SID)
		if s.ForgetAuth(); auth(s) != "{}" {
			t.Errorf("forgotten later: %s", auth(s))
		}
	}
}
