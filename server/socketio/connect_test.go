package socketio_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

func TestConnect(t *testing.T) {
	for _, opts := range []socketiotest.Options{{}, {Polling: true}, {Upgrade: true}} {
		srv := serve(t, socketio.Options{})
		opts.Auth = map[string]any{"token": "abc"}
		opts.Query = map[string][]string{"x": {"1", "2"}}
		srv.IO.Namespace("/").Handle("echo", echo)
		c, s := pair(t, srv, opts)
		h := s.Handshake()
		if string(h.Auth.JSON) != `{"token":"abc"}` || h.Query["x"] != "2" || h.Address != "127.0.0.1" || h.Secure {
			t.Errorf("handshake %+v", h)
		}
		if got := text(c.EmitAck("echo", 1, "a", nil)); got != `[1,"a",null]` {
			t.Errorf("%+v: got %s", opts, got)
		}
	}
}

// The authentication of the package's example refuses unknown users.
func TestExampleAuthentication(t *testing.T) {
	srv := serve(t, socketio.Options{})
	srv.IO.Namespace("/chat").Use(known)
	conn := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
	for _, tc := range []struct {
		auth any
		want string
	}{
		{nil, `{"message":"who are you?"}`},
		{map[string]any{}, `{"message":"who are you?"}`},
		{map[string]any{"token": ""}, `{"message":"who are you?"}`},
		{map[string]any{"token": "another's"}, `{"message":"who are you?"}`},
		{map[string]any{"token": 1}, `{"message":"token must be a string"}`},
		{map[string]any{"token": "ana's token"}, ``},
	} {
		if _, got := socketiotest.Join(t, conn, "/chat", tc.auth); string(got) != tc.want {
			t.Errorf("%v: got %q, want %q", tc.auth, got, tc.want)
		}
	}
}

func TestConnectOverTLS(t *testing.T) {
	io := socketio.New(socketio.Options{})
	io.Namespace("/").Handle("echo", echo)
	srv := socketiotest.NewTLSServer(io)
	defer srv.Close()
	c := socketiotest.Dial(t, srv.URL, socketiotest.Options{TLS: srv.Client().Transport.(*http.Transport).TLSClientConfig})
	if got := text(c.EmitAck("echo", "a")); got != `["a"]` {
		t.Errorf("got %s", got)
	}
}

func TestRefusal(t *testing.T) {
	refused := make(chan error, 10)
	srv := serve(t, socketio.Options{Hooks: socketio.Hooks{Refused: func(_ *socketio.Socket, err error) { refused <- err }}})
	ns := srv.IO.Namespace("/")
	left := disconnects(ns.Handlers)
	ns.Use(func(_ context.Context, s *socketio.Socket) error {
		var auth struct {
			How string `json:"how"`
		}
		if err := s.Handshake().Auth.Decode(&auth); err != nil {
			return err
		}
		switch auth.How {
		case "plain":
			return errors.New(`not "today"`)
		case "data":
			return &socketio.ConnectError{Message: "no", Data: map[string]any{"code": 7}}
		case "panic":
			panic("a secret")
		}
		return nil
	})
	ns.OnConnect(func(ctx context.Context, s *socketio.Socket) error { return s.Emit(ctx, "welcome") })
	conn := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
	for how, want := range map[string]string{
		"plain": `{"message":"not \"today\""}`,
		"data":  `{"message":"no","data":{"code":7}}`,
		"panic": `{"message":"internal error"}`,
	} {
		_, got := socketiotest.Join(t, conn, "/", map[string]string{"how": how})
		if string(got) != want {
			t.Errorf("%s: got %s, want %s", how, got, want)
		}
		if err := receive(t, refused, "the hook's call"); how == "panic" && !errors.Is(err, socketio.ErrPanic) {
			t.Errorf("the hook got %v", err)
		}
	}
	if _, got := socketiotest.Join(t, conn, "/nowhere", nil); string(got) != `{"message":"Invalid namespace"}` {
		t.Errorf("got %s", got)
	}
	c, refusal := socketiotest.Join(t, conn, "/", map[string]string{}) // and after all that, a connection
	if refusal != nil {
		t.Fatalf("refused: %s", refusal)
	}
	c.Expect("welcome")
	if n := ns.Count(); n != 1 {
		t.Errorf("%d sockets", n)
	}
	c.Leave()
	if got := receive(t, left, "the disconnect"); got != socketio.ReasonClientDisconnect || len(left) != 0 {
		t.Errorf("reason %q, and %d more", got, len(left))
	}
}

// No event reaches a handler before OnConnect has returned, and none that was
// sent meanwhile is lost.
func TestEventsWaitForOnConnect(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	release := make(chan struct{})
	var connected atomic.Bool
	ns.OnConnect(func(context.Context, *socketio.Socket) error {
		<-release
		connected.Store(true)
		return nil
	})
	ns.Handle("e", socketio.Func(func(_ context.Context, _ *socketio.Socket, n int) (int, error) {
		if !connected.Load() {
			t.Error("an event came too early")
		}
		return n, nil
	}))
	c := dial(t, srv)
	for i := range 100 {
		c.Emit("e", i)
	}
	close(release)
	if got := text(c.EmitAck("e", 100)); got != `[100]` {
		t.Errorf("got %s", got)
	}
}

func TestOnConnectError(t *testing.T) {
	failed := make(chan string, 1)
	srv := serve(t, socketio.Options{Hooks: socketio.Hooks{HandlerError: func(_ *socketio.Socket, event string, err error) { failed <- event + err.Error() }}})
	ns := srv.IO.Namespace("/")
	left := disconnects(ns.Handlers)
	ns.OnConnect(func(context.Context, *socketio.Socket) error { return errors.New("no") })
	ns.Handle("e", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error {
		t.Error("an event was handled")
		return nil
	}))
	c := dial(t, srv)
	c.Emit("e")
	c.ExpectDisconnect()
	if got := receive(t, failed, "the hook's call"); got != "no" {
		t.Errorf("the hook got %q", got)
	}
	if got := receive(t, left, "the disconnect"); got != socketio.ReasonServerDisconnect {
		t.Errorf("reason %q", got)
	}
}

func TestMaxNamespaces(t *testing.T) {
	srv := serve(t, socketio.Options{MaxNamespaces: 3})
	srv.IO.NamespacePattern(func(context.Context, string, socketio.Value) bool { return true })
	conn := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
	join := func(name string) (*socketiotest.Client, string) {
		c, refusal := socketiotest.Join(t, conn, name, nil)
		return c, string(refusal)
	}
	var last *socketiotest.Client
	for _, name := range []string{"/", "/a", "/b"} {
		c, refusal := join(name)
		if c == nil {
			t.Fatalf("%s: refused %s", name, refusal)
		}
		last = c
	}
	if _, refusal := join("/c"); refusal != `{"message":"Too many namespaces"}` {
		t.Errorf("one too many: %s", refusal)
	}
	last.Leave()
	if _, refusal := join("/c"); refusal != "" {
		t.Errorf("in the place of one that was left: refused %s", refusal)
	}
	if got := srv.IO.LimitCounts().Namespaces; got != 1 {
		t.Errorf("%d are counted", got)
	}
}

// However many CONNECTs come at once and however long the middleware takes, each of them
// is answered, and at most MaxNamespaces are accepted.
func TestMaxNamespacesAtOnce(t *testing.T) {
	const most, asked = 100, 1000
	for _, polling := range []bool{false, true} {
		for _, tc := range []struct {
			accept bool
			want   map[string]int
		}{
			{false, map[string]int{`{"message":"no"}`: asked}},
			{true, map[string]int{`sid`: most, `{"message":"Too many namespaces"}`: asked - most}},
		} {
			srv := serve(t, socketio.Options{})
			var deciding, peak atomic.Int64
			srv.IO.NamespacePattern(func(context.Context, string, socketio.Value) bool { return true }).Use(
				func(context.Context, *socketio.Socket) error {
					for n := deciding.Add(1); ; {
						if old := peak.Load(); n <= old || peak.CompareAndSwap(old, n) {
							break
						}
					}
					defer deciding.Add(-1)
					time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
					if !tc.accept {
						return errors.New("no")
					}
					return nil
				})
			c := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{Polling: polling})
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for i := range asked {
					c.SendText(fmt.Sprintf("0/%d,", i))
				}
			}()
			got := map[string]int{}
			for range asked {
				_, answer, _ := strings.Cut(c.Text(), ",")
				if strings.HasPrefix(answer, `{"sid"`) {
					answer = "sid"
				}
				got[answer]++
			}
			<-sent
			if !maps.Equal(got, tc.want) {
				t.Errorf("polling %v: %v, want %v", polling, got, tc.want)
			}
			if n := peak.Load(); n > most {
				t.Errorf("polling %v: the middleware ran %d times at once, want at most %d", polling, n, most)
			}
		}
	}
}

// While a client has too many pending CONNECTs, the server does not read from it, but
// still notices when it goes.
func TestGoneWhileManyConnect(t *testing.T) {
	srv := serve(t, socketio.Options{MaxNamespaces: 2, ConnectTimeout: 2 * time.Second})
	srv.IO.Namespace("/")
	gone := make(chan error, 10)
	srv.IO.NamespacePattern(func(ctx context.Context, _ string, _ socketio.Value) bool {
		<-ctx.Done()
		gone <- context.Cause(ctx)
		return true
	})
	c := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
	for i := range 10 {
		c.SendText(fmt.Sprintf("0/%d,", i))
	}
	c.End()
	for range 2 {
		receive(t, gone, "the end of a decision")
	}
	srv.Close()
	if n := len(gone); n != 0 {
		t.Errorf("%d more were decided about", n)
	}
}

// A client that goes while the middleware runs does not reach OnConnect or OnDisconnect.
func TestGoneWhileConnecting(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	left := disconnects(ns.Handlers)
	waiting, gone := make(chan struct{}), make(chan error, 1)
	ns.Use(func(ctx context.Context, _ *socketio.Socket) error {
		close(waiting)
		<-ctx.Done()
		gone <- context.Cause(ctx)
		return nil
	})
	ns.OnConnect(func(context.Context, *socketio.Socket) error { t.Error("connected"); return nil })
	conn := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
	conn.SendText("0")
	receive(t, waiting, "the middleware")
	conn.Break()
	if err := receive(t, gone, "the end of the context"); err != socketio.ErrDisconnected {
		t.Errorf("cause %v", err)
	}
	srv.Close()
	if len(left) != 0 || ns.Count() != 0 {
		t.Errorf("%d disconnects, %d sockets", len(left), ns.Count())
	}
}

// While a client reads no answers, the server reads no more of its CONNECTs: what is
// queued for the client stays bounded, and every CONNECT is answered when it reads.
func TestRefusalsThatNobodyReads(t *testing.T) {
	const asked = 100_000
	srv := serve(t, socketio.Options{Engine: engineio.Options{MaxQueueBytes: 64 << 10, MaxBacklogBytes: 256 << 10, SlowTimeout: engineiotest.Wait}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * engineiotest.Wait))
	fmt.Fprint(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	packet := "40/" + strings.Repeat("x", 110) + ","
	connect := append([]byte{0x81, 0x80 | byte(len(packet)), 0, 0, 0, 0}, packet...)
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(bytes.Repeat(connect, asked))
		sent <- err
	}()
	select {
	case err := <-sent:
		t.Fatalf("the server read everything although the client read no answer: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	answers := bufio.NewScanner(conn)
	answers.Split(func(data []byte, _ bool) (int, []byte, error) {
		mark := []byte(`{"message":"Invalid namespace"}`)
		if i := bytes.Index(data, mark); i >= 0 {
			return i + len(mark), mark, nil
		}
		return 0, nil, nil
	})
	for i := range asked {
		if !answers.Scan() {
			t.Fatalf("%d answers came: %v", i, answers.Err())
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// A client loses its connection if more than MaxRefusedConnects of its CONNECTs are
// refused, over each transport and for any reason; it may reconnect. Fewer refusals do
// not end the connection.
func TestRefusedConnectsEnd(t *testing.T) {
	for _, tc := range []struct{ name, connect, refused string }{
		{"no such namespace", `0/nope,`, `4/nope,{"message":"Invalid namespace"}`},
		{"a middleware", `0/closed,{"token":"x"}`, `4/closed,{"message":"no"}`},
		{"too many namespaces", `0/b,`, `4/b,{"message":"Too many namespaces"}`},
		{"too deep", `0/a,` + strings.Repeat(`{"a":`, 600) + `1` + strings.Repeat(`}`, 600), `4/a,{"message":"auth must be nested 512 levels deep at most","data":{"code":"invalid"}}`},
		{"placeholder", `0/a,{"token":{"_placeholder":true,"num":0}}`, `4/a,{"message":"auth must not have the member _placeholder unless attachments follow","data":{"code":"invalid"}}`},
	} {
		for _, opts := range []engineiotest.Options{{}, {Polling: true}} {
			ends := make(chan engineio.Reason, 10)
			srv := serve(t, socketio.Options{MaxRefusedConnects: 10, MaxNamespaces: 2, Engine: engineio.Options{Hooks: engineio.Hooks{
				SessionClosed: func(_ *engineio.Session, reason engineio.Reason, _ error) { ends <- reason },
			}}})
			for _, name := range []string{"/a", "/b"} {
				srv.IO.Namespace(name)
			}
			srv.IO.Namespace("/closed").Use(func(context.Context, *socketio.Socket) error { return errors.New("no") })
			c := engineiotest.Dial(t, srv.URL+"/socket.io/", opts)
			socketiotest.Join(t, c, "/", nil)
			if tc.name == "too many namespaces" {
				socketiotest.Join(t, c, "/a", nil)
			}
			for range 10 {
				c.SendText(tc.connect)
				if got := c.Text(); got != tc.refused {
					t.Fatalf("%s: %s", tc.name, got)
				}
			}
			c.SendText(`20["nobody"]`)
			if n := srv.IO.LimitCounts().RefusedConnects; n != 0 {
				t.Fatalf("%s: ten refusals end the connection", tc.name)
			}
			c.SendText(tc.connect)
			c.End()
			if reason := receive(t, ends, "the end"); reason != engineio.Reason(socketio.ReasonRefusals) {
				t.Errorf("%s: reason %q", tc.name, reason)
			}
			if n := srv.IO.LimitCounts().RefusedConnects; n != 1 {
				t.Errorf("%s: %d ends are counted", tc.name, n)
			}
			dial(t, srv) // comes back
		}
	}
}

// A payload that is full of CONNECTs to be refused is not read to its end.
func TestRefusedConnectsInOnePayload(t *testing.T) {
	asked := atomic.Int64{}
	srv := serve(t, socketio.Options{MaxRefusedConnects: 10})
	srv.IO.NamespacePattern(func(context.Context, string, socketio.Value) bool { asked.Add(1); return false })
	res, err := http.Get(srv.URL + "/socket.io/?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	var open [200]byte
	n, _ := io.ReadFull(res.Body, open[:])
	res.Body.Close()
	_, after, _ := strings.Cut(string(open[:n]), `"sid":"`)
	sid, _, _ := strings.Cut(after, `"`)
	var packets []string
	for i := range 50_000 {
		packets = append(packets, fmt.Sprintf("40/nope%d,", i))
	}
	body := strings.NewReader(strings.Join(packets, "\x1e"))
	res, err = http.Post(srv.URL+"/socket.io/?EIO=4&transport=polling&sid="+sid, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close() // all has been read, or given up
	// Up to MaxNamespaces CONNECTs are handled at a time.
	if n := asked.Load(); n < 11 || n > 500 {
		t.Errorf("%d of 50,000 CONNECTs were handled, want 11 to 500", n)
	}
	if n := srv.IO.LimitCounts().RefusedConnects; n != 1 {
		t.Errorf("%d ends are counted", n)
	}
}

// Refusals of an earlier window do not count.
func TestRefusedConnectsWindow(t *testing.T) {
	opts := socketio.Options{MaxRefusedConnects: 10, RefusalWindow: 10 * time.Second, ConnectTimeout: time.Hour}
	inBubble(t, opts, func(t *testing.T, _ *socketio.Server, opts engineiotest.Options) {
		c := engineiotest.Dial(t, endpoint, opts)
		for range 5 {
			for range 10 {
				c.SendText(`0/nope,`)
				if got := c.Text(); got != `4/nope,{"message":"Invalid namespace"}` {
					t.Fatal(got)
				}
			}
			time.Sleep(10 * time.Second)
		}
		socketiotest.Join(t, c, "/", nil)
	})
}
