package socketio_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
	"github.com/puente-io/puente/server/waittest"
)

var protocol3 = socketio.Options{Engine: engineio.Options{AllowProtocol3: true}}

// dial3 connects a client of protocol 3 over a WebSocket. It is connected to "/".
func dial3(t testing.TB, srv *socketiotest.Server, query url.Values) *engineiotest.Conn {
	t.Helper()
	q := url.Values{"EIO": {"3"}}
	for k, v := range query {
		q[k] = v
	}
	return engineiotest.Dial(t, srv.URL+"/socket.io/", engineiotest.Options{Query: q})
}

func wantText(t testing.TB, c *engineiotest.Conn, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := c.Text(); got != w {
			t.Errorf("got %q, want %q", got, w)
		}
	}
}

// socket3 returns the socket that a client knows by an id.
func socket3(t testing.TB, srv *socketiotest.Server, namespace, id string) *socketio.Socket {
	t.Helper()
	s := srv.IO.Namespace(namespace).Socket(id)
	if s == nil {
		t.Fatalf("%s has no socket %s", namespace, id)
	}
	return s
}

// The client is connected to "/" without asking; to other namespaces with a query.
func TestRevision4Connect(t *testing.T) {
	srv := serve(t, protocol3)
	srv.IO.Namespace("/a").Handle("echo", echo)
	auths := make(chan string, 10)
	for _, name := range []string{"/", "/a"} {
		srv.IO.Namespace(name).Use(func(_ context.Context, s *socketio.Socket) error {
			auths <- string(s.Handshake().Auth.JSON)
			return nil
		})
	}
	c := dial3(t, srv, url.Values{"token": {"q"}})
	wantText(t, c, "0")
	c.SendText("0/a?token=x&u=1&e=%E2%82%AC+%22&token=y#z,")
	wantText(t, c, "0/a,")
	c.SendText(`2/a?ignored,7["echo","text"]`)
	wantText(t, c, `3/a,7["text"]`)
	for _, want := range []string{"{}", `{"token":"y","u":"1","e":"€ \""}`} {
		if got := receive(t, auths, "a CONNECT"); got != want {
			t.Errorf("auth %s, want %s", got, want)
		}
	}
	s := socket3(t, srv, "/", c.Handshake.SID)
	if got := s.Handshake().Query["token"]; got != "q" {
		t.Errorf("query %q", got)
	}
	c.SendText("1/a,")
	c.SendText("0/a,")
	wantText(t, c, "0/a,")
	if got := receive(t, auths, "a CONNECT"); got != "{}" {
		t.Errorf("auth %s without a query", got)
	}
}

// The ids are those that clients compute, but the server's own is another, which is not
// secret: it is what other servers and lists get.
func TestRevision4IDs(t *testing.T) {
	srv := serve(t, protocol3)
	srv.IO.Namespace("/a")
	c := dial3(t, srv, nil)
	wantText(t, c, "0")
	c.SendText("0/a?x=y,")
	wantText(t, c, "0/a,")
	sid := c.Handshake.SID
	for name, id := range map[string]string{"/": sid, "/a": "/a#" + sid} {
		ns := srv.IO.Namespace(name)
		s := socket3(t, srv, name, id)
		if s.ClientID() != id || len(s.ID()) != 20 || strings.Contains(s.ID(), sid) || ns.Socket(s.ID()) != s {
			t.Errorf("%s: id %s, client's id %s", name, s.ID(), s.ClientID())
		}
		if got := s.Rooms(); !slices.Equal(got, []string{s.ID()}) || len(ns.Rooms()) != 0 || !s.In(id) || ns.RoomSize(id) != 1 {
			t.Errorf("%s: rooms %q and %q", name, got, ns.Rooms())
		}
		s.Join(t.Context(), id) // it is in there
		for _, room := range []string{id, s.ID()} {
			if err := ns.To(room, s.ID(), id).Emit(t.Context(), "to", name); err != nil {
				t.Error(err)
			}
			ns.Except(room).Emit(t.Context(), "others")
		}
		list, err := ns.To(id).FetchSockets(t.Context())
		if err != nil || len(list) != 1 || list[0].ID != s.ID() || !slices.Equal(list[0].Rooms, []string{s.ID()}) || strings.Contains(string(list[0].Handshake), sid) {
			t.Errorf("%s: fetched %+v, %v", name, list, err)
		}
	}
	var got []string
	for range 4 {
		got = append(got, c.Text())
	}
	slices.Sort(got)
	if want := []string{`2/a,["to","/a"]`, `2/a,["to","/a"]`, `2["to","/"]`, `2["to","/"]`}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	c.Close()
	for _, name := range []string{"/", "/a"} {
		waittest.Until(t, name+" is empty", func() bool { return srv.IO.Namespace(name).Count() == 0 })
		if s := srv.IO.Namespace(name).Socket(sid); s != nil {
			t.Error("a name of a socket that has gone is left")
		}
	}
}

// A client of protocol 4 has one id.
func TestClientIDOfProtocol4(t *testing.T) {
	c, s := pair(t, serve(t, protocol3), socketiotest.Options{})
	if s.ClientID() != s.ID() || s.ID() != c.SID || s.Session().Protocol() != 4 {
		t.Errorf("id %s, client's id %s, protocol %d", s.ID(), s.ClientID(), s.Session().Protocol())
	}
}

// Refusals are the text, or the data if there is any; "Invalid namespace" is the object of
// revision 5, as on Node.
func TestRevision4Refusals(t *testing.T) {
	srv := serve(t, socketio.Options{Engine: protocol3.Engine, MaxNamespaces: 2, MaxDepth: 3})
	for name, err := range map[string]error{
		"/":     errors.New(`no "entry"`),
		"/data": &socketio.ConnectError{Message: "nope", Data: map[string]int{"c": 1}},
		"/bare": &socketio.ConnectError{Message: "nope"},
		"/odd":  &socketio.ConnectError{Message: "nope", Data: func() {}},
	} {
		srv.IO.Namespace(name).Use(func(context.Context, *socketio.Socket) error { return err })
	}
	srv.IO.Namespace("/a")
	srv.IO.Namespace("/b")
	srv.IO.Namespace("/c")
	c := dial3(t, srv, nil)
	wantText(t, c, `4"no \"entry\""`)
	for _, step := range [][2]string{
		{"0/data?x=1,", `4/data,{"c":1}`}, {"0/bare,", `4/bare,"nope"`}, {"0/odd,", `4/odd,"nope"`},
		{"0/none,", `4/none,{"message":"Invalid namespace"}`}, {"0/a,", "0/a,"}, {"0/b,", "0/b,"}, {"0/c,", `4/c,"Too many namespaces"`},
	} {
		c.SendText(step[0])
		wantText(t, c, step[1])
	}
}

// What ends the session, as on Node.
func TestRevision4Violations(t *testing.T) {
	srv := serve(t, protocol3)
	for _, packet := range []string{"0", "0/?x=y,", `2/a,["e"]`, `4"x"`} {
		c := dial3(t, srv, nil)
		wantText(t, c, "0")
		c.SendText(packet)
		c.End()
	}
	c := dial3(t, srv, nil)
	wantText(t, c, "0")
	c.SendText("1")
	c.SendText(`2["e"]`)
	c.End()
}

// The conversation over polling that was recorded from Node.
func TestRevision4Polling(t *testing.T) {
	srv := serve(t, protocol3)
	srv.IO.Namespace("/").Handle("e", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		return s.Emit(ctx, "e", e.Args().Any()...)
	}))
	srv.IO.Namespace("/a")
	base := srv.URL + "/socket.io/?EIO=3&transport=polling"
	do := func(method, url, body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	defer http.DefaultClient.CloseIdleConnections()
	open := do("GET", base, "")
	if !strings.HasPrefix(open, `118:0{"sid":"`) || len(open) != 122 {
		t.Fatalf("open %q", open)
	}
	to := base + "&sid=" + open[13:33]
	for _, step := range []struct{ post, poll string }{
		{"", "2:40"}, // a poll of its own
		{`13:42["e","€😀"]`, `13:42["e","€😀"]`},
		{`39:451-["e",{"_placeholder":true,"num":0}]6:b4AQID`, "\x00\x03\x09\xff" + `451-["e",{"_placeholder":true,"num":0}]` + "\x01\x04\xff\x04\x01\x02\x03"},
		{"17:40/a?token=x&u=1,", "5:40/a,"},
		{"2:40", "1:61:1"},
	} {
		if step.post != "" {
			if got := do("POST", to, step.post); got != "ok" {
				t.Errorf("%s: %s", step.post, got)
			}
		}
		if got := do("GET", to, ""); got != step.poll {
			t.Errorf("%s: got %q, want %q", step.post, got, step.poll)
		}
	}
}

// One room has clients of both protocols; each gets its form of binary, and one text.
func TestRevision4SharesRooms(t *testing.T) {
	srv := serve(t, protocol3)
	ns := srv.IO.Namespace("/")
	old, now := dial3(t, srv, nil), dial(t, srv)
	wantText(t, old, "0")
	if err := ns.Emit(t.Context(), "both", "text", []byte{1, 2}); err != nil {
		t.Fatal(err)
	}
	text := `51-["both","text",{"_placeholder":true,"num":0}]`
	for i, c := range []*engineiotest.Conn{old, now.Conn} {
		wantText(t, c, text)
		if got, want := c.Next(), []string{"\x04\x01\x02", "\x01\x02"}[i]; string(got.Data) != want || !got.Binary {
			t.Errorf("client %d got %q", i, got.Data)
		}
	}
}

// What may be a token of a client of protocol 3 does not go to other servers.
func TestRevision4ForgetsQuery(t *testing.T) {
	srv := serve(t, protocol3)
	ns := srv.IO.Namespace("/")
	ns.Use(func(_ context.Context, s *socketio.Socket) error { s.ForgetAuth(); return nil })
	c := dial3(t, srv, url.Values{"token": {"secret"}})
	wantText(t, c, "0")
	list, err := ns.All().FetchSockets(t.Context())
	if err != nil || len(list) != 1 || strings.Contains(string(list[0].Handshake), "secret") || !strings.Contains(string(list[0].Handshake), `"EIO":"3"`) {
		t.Errorf("fetched %+v, %v", list, err)
	}
}
