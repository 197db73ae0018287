package socketio_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// msgpackClients are options of clients that speak MessagePack, on each transport.
var msgpackClients = []socketiotest.Options{{Msgpack: true}, {Msgpack: true, Polling: true}, {Msgpack: true, Upgrade: true}}

// Clients with either parser are in one room; all get the same events and
// acknowledgements, with the same attachments.
func TestParsersInOneRoom(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	ns.Handle("echo", echo)
	ns.Handle("return", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		e.Return(e.Args().Any()...)
		return nil
	}))
	ns.Handle("say", socketio.HandlerFunc(func(ctx context.Context, _ *socketio.Socket, e *socketio.Event) error {
		return ns.To("room").Emit(ctx, "said", e.Args().Any()...)
	}))
	const payload = `{"n":[1,-1,1.5,9007199254740993,1e+300],"s":"ñ\u0000","b":{"_placeholder":true,"num":0},"e":[{},[],null,true]}`
	var clients []*socketiotest.Client
	for _, opts := range append(msgpackClients, socketiotest.Options{}, socketiotest.Options{Polling: true}) {
		c, s := pair(t, srv, opts)
		if err := s.Join(t.Context(), "room"); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	value := socketio.Value{JSON: []byte(payload), Attachments: [][]byte{{0, 255}}}
	for i, c := range clients {
		for _, event := range []string{"echo", "return"} {
			if got := text(c.EmitAck(event, i, "x", []byte("y"))); !strings.HasPrefix(got, "["+string('0'+byte(i))+`,"x",{"_placeholder":true,"num":0}]`) {
				t.Errorf("client %d: %s answered %s", i, event, got)
			}
		}
		c.Emit("say", i, []byte{1, 2, 3})
		for j, other := range clients {
			e := other.Expect("said")
			if e.Args[0][0] != '0'+byte(i) || len(e.Attachments) != 1 || !bytes.Equal(e.Attachments[0], []byte{1, 2, 3}) {
				t.Errorf("client %d got %s with %q of client %d", j, e, e.Attachments, i)
			}
		}
	}
	if err := ns.To("room").Compress(false).Emit(t.Context(), "value", value); err != nil {
		t.Fatal(err)
	}
	for j, c := range clients {
		e := c.Expect("value")
		if got := string(e.Args[0]); got != strings.ReplaceAll(payload, `ñ\u0000`, "ñ\\u0000") || !bytes.Equal(e.Attachments[0], []byte{0, 255}) {
			t.Errorf("client %d got %s", j, got)
		}
	}
}

// The server asks a client that speaks MessagePack, alone and in a broadcast.
func TestMsgpackAsked(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/n")
	for _, opts := range msgpackClients {
		opts.Namespace = "/n"
		c, s := pair(t, srv, opts)
		type answer struct {
			args socketio.Args
			err  error
		}
		answers := make(chan answer, 1)
		go func() {
			args, err := s.EmitWithAck(t.Context(), "q", 1)
			answers <- answer{args, err}
		}()
		c.Ack(c.Expect("q"), "one", []byte{7})
		a := receive(t, answers, "the answer")
		if a.err != nil || len(a.args) != 2 || string(a.args[0].JSON) != `"one"` || !a.args[1].IsBinary() {
			t.Errorf("got %v, %v", a.args, a.err)
		}
		all := make(chan int, 1)
		go func() {
			answers, err := ns.All().EmitWithAck(t.Context(), "q")
			if err != nil {
				t.Error(err)
			}
			all <- len(answers)
		}()
		c.Ack(c.Expect("q"), 2)
		if n := receive(t, all, "the answers"); n != 1 {
			t.Errorf("%d answers", n)
		}
		if err := s.Volatile().Emit(t.Context(), "v", 3); err != nil { // a client between two polls misses it
			t.Error(err)
		}
		if err := s.Emit(t.Context(), "end"); err != nil {
			t.Error(err)
		}
		if c.Await("end"); !opts.Polling && !opts.Upgrade {
			c.Expect("v")
		}
		c.Ignore("v")
		s.Disconnect(false)
		c.ExpectDisconnect()
	}
}

func TestMsgpackConnect(t *testing.T) {
	srv := serve(t, socketio.Options{MaxAttachments: 2})
	auth := make(chan string, 1)
	srv.IO.Namespace("/open").Use(func(_ context.Context, s *socketio.Socket) error {
		auth <- string(s.Handshake().Auth.JSON)
		return nil
	})
	srv.IO.Namespace("/closed").Use(func(context.Context, *socketio.Socket) error {
		return &socketio.ConnectError{Message: "no", Data: map[string]any{"a": 1}}
	})
	srv.IO.Namespace("/broken").Use(func(context.Context, *socketio.Socket) error {
		return &socketio.ConnectError{Message: "no", Data: socketio.Value{JSON: []byte("{")}}
	})
	for _, opts := range msgpackClients {
		opts.Auth = map[string]any{"token": "t"}
		opts.Namespace = "/open"
		socketiotest.Dial(t, srv.URL, opts)
		if got := receive(t, auth, "the auth"); got != `{"token":"t"}` {
			t.Errorf("auth is %s", got)
		}
		for name, want := range map[string]string{
			"/closed": `{"message":"no","data":{"a":1}}`, "/broken": `{"message":"no"}`, "/nowhere": `{"message":"Invalid namespace"}`,
		} {
			opts.Namespace = name
			if _, refusal := socketiotest.TryDial(t, srv.URL, opts); string(refusal) != want {
				t.Errorf("%s is refused with %s", name, refusal)
			}
		}
	}
	c := dialMsgpack(t, srv.URL)
	for _, tc := range []struct{ connect, want string }{
		// A namespace that no text packet can name.
		{"82a47479706500a36e7370a0", "Invalid namespace"},
		{"83a47479706500a36e7370a52f6f70656ea46461746181a16193c400c400c400", "auth must have at most 2 binary values"},
		{"83a47479706500a36e7370a52f6f70656ea46461746181ac5f706c616365686f6c646572c3", "auth must not have the member _placeholder"},
	} {
		c.SendBinary(unhex(t, tc.connect))
		if m := c.Next(); !m.Binary || !bytes.Contains(m.Data, []byte(tc.want)) {
			t.Errorf("%s: got %q", tc.connect, m.Data)
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dialMsgpack returns a connection that is in the root namespace and speaks MessagePack.
func dialMsgpack(t testing.TB, url string) *engineiotest.Conn {
	t.Helper()
	return socketiotest.Dial(t, url, socketiotest.Options{Msgpack: true}).Conn
}

// What violates the protocol ends the connection, once, with a parse error.
func TestMsgpackViolations(t *testing.T) {
	problems := make(chan error, 1000)
	srv := serve(t, socketio.Options{Hooks: socketio.Hooks{PacketError: func(_ *engineio.Session, err error) { problems <- err }}})
	reasons := disconnects(srv.IO.Namespace("/").Handlers)
	for name, send := range map[string]func(*engineiotest.Conn){
		"text":              func(c *engineiotest.Conn) { c.SendText(`2["e"]`) },
		"no packet":         func(c *engineiotest.Conn) { c.SendBinary([]byte("hello")) },
		"empty":             func(c *engineiotest.Conn) { c.SendBinary(nil) },
		"wrong type":        func(c *engineiotest.Conn) { c.SendBinary(unhex(t, "83a47479706505a36e7370a12fa46461746191a165")) },
		"another namespace": func(c *engineiotest.Conn) { c.SendBinary(unhex(t, "83a47479706502a36e7370a22f78a46461746191a165")) },
		"CONNECT again":     func(c *engineiotest.Conn) { c.SendBinary(unhex(t, "82a47479706500a36e7370a12f")) },
		"CONNECT_ERROR":     func(c *engineiotest.Conn) { c.SendBinary(unhex(t, "83a47479706504a36e7370a12fa46461746180")) },
		"reserved event": func(c *engineiotest.Conn) {
			c.SendBinary(unhex(t, "83a47479706502a36e7370a12fa46461746191a7636f6e6e656374"))
		},
		"2^32 array elements": func(c *engineiotest.Conn) { c.SendBinary(unhex(t, "83a47479706502a36e7370a12fa464617461ddffffffff")) },
	} {
		c := dialMsgpack(t, srv.URL)
		send(c)
		c.End()
		if err := receive(t, problems, "the hook's call"); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := receive(t, reasons, "the disconnect"); got != socketio.Reason(engineio.ReasonParseError) {
			t.Errorf("%s: the reason is %q", name, got)
		}
	}
	// A binary message to which no packet belongs, first or later, is MessagePack only if
	// it comes first and is a map.
	for _, first := range []string{"", "0"} {
		c := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
		msg := unhex(t, "82a47479706500a36e7370a12f")
		if first == "" {
			msg = []byte{0x93}
		} else {
			c.SendText(first)
			c.Text()
		}
		c.SendBinary(msg)
		c.End()
		receive(t, problems, "the hook's call")
	}
	if n := len(problems); n != 0 {
		t.Errorf("%d more problems", n)
	}
}

// An event that exceeds a limit is refused, with the reasons that text gets, and the
// connection lives.
func TestMsgpackExcess(t *testing.T) {
	srv := serve(t, socketio.Options{MaxArguments: 3, MaxDepth: 4})
	srv.IO.Namespace("/").Handle("echo", echo)
	c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Msgpack: true})
	for want, args := range map[string][]any{
		"arguments must be at most 3":                    {1, 2, 3, 4},
		"arguments must be nested 4 levels deep at most": {[][][][][]int{{{{{1}}}}}},
	} {
		got := text(c.EmitAck("echo", args...))
		if !strings.Contains(got, `"invalid"`) || !strings.Contains(got, strings.TrimSpace(want)) {
			t.Errorf("got %s, want %q", got, want)
		}
	}
	conn := dialMsgpack(t, srv.URL)
	const head = "84a47479706502a36e7370a12fa2696409a46461746192a46563686f"
	for args, want := range map[string]string{
		"9b" + strings.Repeat("c400", 11):                  "attachments must be at most 10",
		"82ac5f706c616365686f6c646572c3a36e756d00":         "arguments must not have the member _placeholder",
		"9282ac5f706c616365686f6c646572c3a36e756d00c40101": "arguments must not have the member _placeholder",
	} {
		conn.SendBinary(unhex(t, head+args))
		if got := conn.Next(); !bytes.Contains(got.Data, []byte(want)) {
			t.Errorf("got %q, want %q", got.Data, want)
		}
	}
	if got := srv.IO.LimitCounts(); got.References != 3 || got.Depth != 1 || got.Arguments != 1 {
		t.Errorf("counted are %+v", got)
	}
}

// What is nested more than 1,000 levels deep cannot be sent as MessagePack: an emit to one client returns an error,
// of a broadcast only the clients that cannot get it miss it.
func TestMsgpackCannotEncode(t *testing.T) {
	reports := make(chan string, 10)
	srv := serve(t, socketio.Options{MaxDepth: 2000, Hooks: socketio.Hooks{HandlerError: func(_ *socketio.Socket, event string, err error) {
		if errors.Is(err, socketio.ErrEncode) {
			reports <- event
		}
	}}})
	ns := srv.IO.Namespace("/")
	plain, _ := pair(t, srv, socketiotest.Options{})
	c, s := pair(t, srv, socketiotest.Options{Msgpack: true})
	deep := socketio.Value{JSON: []byte(strings.Repeat("[", 1100) + strings.Repeat("]", 1100))}
	for name, err := range map[string]error{
		"Emit": s.Emit(t.Context(), "deep", deep), "Post": s.Post("deep", deep), "Volatile": s.Volatile().Emit(t.Context(), "deep", deep),
	} {
		if !errors.Is(err, socketio.ErrEncode) {
			t.Errorf("%s: error %v, want ErrEncode", name, err)
		}
	}
	if err := ns.Emit(t.Context(), "deep", deep); err != nil {
		t.Error(err)
	}
	if got := receive(t, reports, "the report"); got != "deep" {
		t.Errorf("the report names %q", got)
	}
	plain.Expect("deep")
	if err := ns.Emit(t.Context(), "next"); err != nil {
		t.Error(err)
	}
	plain.Expect("next")
	c.Expect("next")
}

// dialRawMsgpack is dialRaw for a client that speaks MessagePack.
func dialRawMsgpack(t testing.TB, srv *socketiotest.Server) *rawClient {
	t.Helper()
	c := dialRawOpen(t, srv)
	c.write(t, rawBinary(unhex(t, "82a47479706500a36e7370a12f")))
	c.skip(t)
	return c
}

// rawBinary is a binary frame of a client.
func rawBinary(payload []byte) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame(payload)))
}

func BenchmarkEchoMsgpack(b *testing.B) {
	srv := serve(b, socketio.Options{})
	srv.IO.Namespace("/").Handle("echo", socketio.Func(func(_ context.Context, _ *socketio.Socket, in string) (string, error) { return in, nil }))
	frame := rawBinary(unhex(b, "84a47479706502a36e7370a12fa2696400a46461746192a46563686fa9736f6d652074657874"))
	c := dialRawMsgpack(b, srv)
	b.ReportAllocs()
	for b.Loop() {
		c.write(b, frame)
		c.skip(b)
	}
}
