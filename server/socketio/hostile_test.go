package socketio_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// Whatever a hostile client sends, it ends at most its own connection, and the next
// client is served.
func TestHostilePackets(t *testing.T) {
	problems := make(chan error, 1000)
	srv := serve(t, socketio.Options{Hooks: socketio.Hooks{PacketError: func(_ *engineio.Session, err error) { problems <- err }}})
	ns := srv.IO.Namespace("/")
	ns.Handle("echo", echo)
	bystander := dial(t, srv)
	digits := strings.Repeat("1", 900_000)
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	ph := func(num string) string { return `51-["x",{"_placeholder":true,"num":` + num + `}]` }
	for _, tc := range []struct {
		packet string
		ends   bool
	}{
		{`2`, false}, {`21`, false}, {`3`, false}, {`37`, false}, {`3123[]`, false}, {`20["nobody"]`, false},
		{`2["error","x"]`, false}, {`2[1,2]`, false}, {`2["echo","\ud800"]`, false}, {`2["echo",{"a":1,"a":2}]`, false},
		{`2["echo",` + strings.Repeat("9", 400) + `]`, false},
		{`451-`, true}, {`5`, true}, {``, true}, {`9`, true}, {`7[]`, true},
		{`2` + digits + `["x"]`, true}, {`5` + digits + `-["x"]`, true},
		{`2{}`, true}, {`2[{}]`, true}, {`2[true]`, true}, {`2[null]`, true}, {`2[]`, true},
		{`2["connect"]`, true}, {`2["connect_error"]`, true}, {`2["disconnect"]`, true}, {`2["disconnecting"]`, true},
		{`2["newListener"]`, true}, {`2["removeListener"]`, true},
		{ph(`"splice"`), true}, {ph(`-1`), true}, {ph(`1.5`), true}, {ph(`999`), true}, {ph(`null`), true},
		{`2["x",{"_placeholder":true,"num":0}]`, false}, {`3[{"_placeholder":true,"num":0}]`, false}, {`511-["x"]`, true},
		{`50-["x"]`, true}, {`60-[]`, true}, {`50-`, true}, {`599999999999999999999-["x"]`, true},
		{`2["x",` + deep + `]`, false}, {`3[` + deep + `]`, false}, {`37[` + deep + `]`, false}, {`2["x",0` + strings.Repeat(",0", 5000) + `]`, false},
		{`2["x",` + deep[:15_000] + `]`, true}, {`2["connect",` + deep + `]`, true},
		{`2["x",NaN]`, true}, {`2["x"`, true},
		{`2/nowhere,["x"]`, true}, {`0`, true}, {`4{}`, true}, {`1{}`, true}, {`0[]`, true}, {`0"x"`, true},
	} {
		t.Run(fmt.Sprintf("%.30s", tc.packet), func(t *testing.T) {
			for _, polling := range []bool{false, true} {
				c := socketiotest.Dial(t, srv.URL, socketiotest.Options{Polling: polling})
				c.SendText(tc.packet)
				if !tc.ends {
					if got := text(c.EmitAck("echo", "alive")); got != `["alive"]` {
						t.Errorf("got %s", got)
					}
				} else {
					c.End()
					receive(t, problems, "the hook's call")
				}
				if got := text(bystander.EmitAck("echo", "alive")); got != `["alive"]` {
					t.Errorf("the bystander got %s", got)
				}
			}
		})
	}
	if n := len(problems); n != 0 {
		t.Errorf("%d more problems", n)
	}
}

// Unexpected packets: before CONNECT, and instead of an attachment.
func TestHostileOrder(t *testing.T) {
	srv := serve(t, socketio.Options{})
	for _, tc := range []struct {
		connect bool
		send    func(*engineiotest.Conn)
	}{
		{false, func(c *engineiotest.Conn) { c.SendText(`2["x"]`) }},
		{false, func(c *engineiotest.Conn) { c.SendText(`1`) }},
		{false, func(c *engineiotest.Conn) { c.SendText(`30[]`) }},
		{false, func(c *engineiotest.Conn) { c.SendText(`51-["x",{"_placeholder":true,"num":0}]`) }},
		{false, func(c *engineiotest.Conn) { c.SendBinary([]byte("x")) }},
		{true, func(c *engineiotest.Conn) { c.SendBinary([]byte("x")) }},
		{true, func(c *engineiotest.Conn) {
			c.SendText(`51-["x",{"_placeholder":true,"num":0}]`)
			c.SendText(`2["y"]`)
		}},
		{true, func(c *engineiotest.Conn) {
			c.SendText(`51-`)
			c.SendBinary(nil) // is an event without a name, which means nothing
			c.SendText(`51-`)
			c.SendText(`2["y"]`)
		}},
		{true, func(c *engineiotest.Conn) {
			c.SendText(`51-["x",{"_placeholder":true,"num":0}]`)
			c.SendBinary(nil)
			c.SendBinary(nil)
		}},
	} {
		c := engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{})
		if tc.connect {
			socketiotest.Join(t, c, "/", nil)
		}
		tc.send(c)
		c.End()
	}
}

// Nothing is lost if CONNECT comes as soon as the connection is open, if an event comes
// as soon as CONNECT is answered, or if all of them come in one payload.
func TestImpatientClient(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	got := make(chan string, 1000)
	ns.Handle("e", socketio.Do(func(_ context.Context, _ *socketio.Socket, s string) error { got <- s; return nil }))
	for i := range 100 {
		c := dial(t, srv)
		c.Emit("e", fmt.Sprint(i))
		if s := receive(t, got, "the event"); s != fmt.Sprint(i) {
			t.Errorf("got %s for event %d", s, i)
		}
		c.Close()
	}
}

// A megabyte in one packet arrives whole, both ways, over both transports.
func TestLargePackets(t *testing.T) {
	srv := serve(t, socketio.Options{})
	srv.IO.Namespace("/").Handle("echo", echo)
	big := strings.Repeat("é", 499_000)
	for _, opts := range []socketiotest.Options{{}, {Polling: true}} {
		c := socketiotest.Dial(t, srv.URL, opts)
		if got := text(c.EmitAck("echo", big)); len(got) != len(big)+4 {
			t.Errorf("%d bytes became %d", len(big), len(got))
		}
		if got := len(c.EmitAck("echo", []byte(big[:700_000]))); got != 1 {
			t.Errorf("%d arguments came back", got)
		}
	}
}
