package realtime_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/waittest"
)

func allowProtocol3(o *options) { o.io.Engine.AllowProtocol3 = true }

// dial3 connects a client of protocol 3, with a token in the query unless it is empty.
func (n *node) dial3(token string) *engineiotest.Conn {
	n.t.Helper()
	q := url.Values{"EIO": {"3"}}
	if token != "" {
		q["token"] = []string{token}
	}
	return engineiotest.Dial(n.t, n.url+"/socket.io/", engineiotest.Options{Query: q})
}

// next3 returns the next packet of a client that begins with a prefix.
func next3(t testing.TB, c *engineiotest.Conn, prefix string) string {
	t.Helper()
	for {
		if got := c.Text(); strings.HasPrefix(got, prefix) {
			return timeless(got)
		}
	}
}

// A client of protocol 3 sends its token in the query, and has the documented events with
// clients of protocol 4. It knows the id that it has computed; nobody else gets that.
func TestProtocol3(t *testing.T) {
	n := start(t, allowProtocol3)
	bob := n.member("bob", "r")
	c := n.dial3(sign(t, id("ana")))
	sid := c.Handshake.SID
	if got := c.Text(); got != "0" {
		t.Fatalf("got %q", got)
	}
	if got, want := next3(t, c, "2"), `2["authenticated",{"success":true,"userId":"ana","socketId":"`+sid+`","timestamp":T}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.SendText(`21["join-room","r"]`)
	if got := next3(t, c, "31"); !strings.HasPrefix(got, `31[{"success":true,"roomId":"r","users":["`) || !strings.HasSuffix(got, `"total":2,"timestamp":T}]`) {
		t.Errorf("got %s", got)
	}
	want(t, bob.Next("user-joined"), `{"userId":"ana","roomId":"r","timestamp":T}`)
	mustSucceed(t, bob.Ask("publish-update", json.RawMessage(`{"roomId":"r","type":"T","payload":1}`)))
	if got, want := next3(t, c, `2["update"`), `2["update",{"roomId":"r","type":"T","payload":1,"from":"bob","timestamp":T}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	devices := n.UserSockets(id("ana"))
	if len(devices) != 1 || devices[0] == sid || n.io.Namespace("/").Socket(devices[0]) == nil {
		t.Errorf("devices %q of session %s", devices, sid)
	}
	if s := n.Stats().Protocol3; s.Active != 1 || s.Total != 1 || n.HealthCheck().Protocol3 != 1 {
		t.Errorf("statistics %+v, health %+v", s, n.HealthCheck())
	}
	c.Close()
	want(t, bob.Next("user-left"), `{"userId":"ana","roomId":"r","timestamp":T}`)
	waittest.Until(t, "no client of protocol 3 is left", func() bool { return n.Stats().Protocol3 == realtime.Protocol3{Total: 1} })
}

// A refusal is the text that the documented middleware sends.
func TestProtocol3Refusals(t *testing.T) {
	refused := make(chan string, 10)
	n := start(t, allowProtocol3, func(o *options) {
		o.AuthRequired, o.MaxSocketsPerUser = true, 1
		o.Hooks.Refused = func(_ *socketio.Socket, code string, _ error) { refused <- code }
	})
	n.device("ana")
	for _, tc := range []struct{ token, packet, code string }{
		{"", `4"Authentication failed"`, "token_missing"},
		{"wrong", `4"Authentication failed"`, "token_invalid"},
		{sign(t, id("ana")), `4"Too many connections for this user"`, "rate_limited"},
	} {
		c := n.dial3(tc.token)
		if got := c.Text(); got != tc.packet {
			t.Errorf("%s: got %s, want %s", tc.code, got, tc.packet)
		}
		if code := <-refused; code != tc.code {
			t.Errorf("code %s, want %s", code, tc.code)
		}
		c.Close()
	}
}

// Without a token a client may authenticate by the event, within AuthTimeout.
func TestProtocol3Authenticate(t *testing.T) {
	n := start(t, allowProtocol3)
	c := n.dial3("")
	next3(t, c, "0")
	c.SendText(`21["authenticate",{"token":"` + sign(t, id("ana")) + `"}]`)
	if got, want := next3(t, c, "31"), `31[{"success":true,"userId":"ana","socketId":"`+c.Handshake.SID+`","timestamp":T}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	n = start(t, allowProtocol3, func(o *options) { o.AuthTimeout = time.Second })
	late := n.dial3("")
	if got := next3(t, late, "1"); got != "1" {
		t.Errorf("got %s", got)
	}
}

// The query counts in protocol 3 only: it is in the logs of proxies.
func TestTokenInQueryIsForProtocol3(t *testing.T) {
	n := start(t, allowProtocol3)
	c := engineiotest.Dial(t, n.url+"/socket.io/", engineiotest.Options{Query: url.Values{"token": {sign(t, id("ana"))}}})
	c.SendText("0")
	c.Text()
	c.SendText(`21["join-room","r"]`)
	if got, want := next3(t, c, "31"), `31[{"success":false,"error":{"code":"unauthenticated","message":"Unauthorized"}}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// In other namespaces the token is in their query, else in the request's, and a refusal is
// the data, as on Node.
func TestProtocol3OtherNamespaces(t *testing.T) {
	n := start(t, allowProtocol3)
	verifier, err := auth.New(auth.Options{Secret: []byte(secret), Leeway: -1})
	if err != nil {
		t.Fatal(err)
	}
	users := make(chan string, 10)
	ns := n.io.Namespace("/a")
	ns.Use(realtime.Authenticate(verifier))
	ns.OnConnect(func(_ context.Context, s *socketio.Socket) error {
		claims, _ := realtime.ClaimsOf(s)
		users <- claims.UserID.Key()
		return nil
	})
	c := n.dial3(sign(t, id("ana")))
	next3(t, c, "2")
	c.SendText("0/a?token=" + sign(t, id("bob")) + ",")
	next3(t, c, "0/a,")
	c.SendText("1/a,")
	c.SendText("0/a,")
	next3(t, c, "0/a,")
	if got := []string{<-users, <-users}; !slices.Equal(got, []string{"bob", "ana"}) {
		t.Errorf("users %q", got)
	}
	c.SendText("1/a,")
	c.SendText("0/a?token=wrong,")
	if got, want := next3(t, c, "4"), `4/a,{"code":"token_invalid"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
