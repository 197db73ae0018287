package realtime_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/handlers"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/waittest"
)

const secret = "a secret of the tests, 32 bytes or more"

// node is a server with the service and the documented events.
type node struct {
	*realtime.Service
	t     testing.TB
	io    *socketio.Server
	users presence.Presence
	url   string
	// dial connects to the node; nil: over TCP.
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

type options struct {
	realtime.Options
	io    socketio.Options
	net   net.Listener
	first func(context.Context, *socketio.Socket) error // the first of OnConnect
}

// start starts a node that stops with the test.
func start(t testing.TB, edits ...func(*options)) *node {
	t.Helper()
	verifier, err := auth.New(auth.Options{Secret: []byte(secret), Leeway: -1})
	if err != nil {
		t.Fatal(err)
	}
	opts := options{Options: realtime.Options{Verifier: verifier}}
	for _, edit := range edits {
		edit(&opts)
	}
	if opts.Presence == nil {
		opts.Presence = presence.NewMemory().Node()
	}
	n := &node{t: t, io: socketio.New(opts.io), users: opts.Presence}
	opts.Namespace = n.io.Namespace("/")
	if opts.first != nil {
		opts.Namespace.OnConnect(opts.first)
	}
	if n.Service, err = realtime.New(opts.Options); err != nil {
		t.Fatal(err)
	}
	handlers.Register(n.Service)
	if opts.net == nil {
		if opts.net, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	} else {
		n.dial = opts.net.(*raw.Network).Dial
	}
	n.url = "http://" + opts.net.Addr().String()
	srv := &http.Server{Handler: n.io}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(opts.net) }()
	t.Cleanup(func() {
		if err := n.io.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
		srv.Close()
		<-served
	})
	return n
}

// sign returns a token. Tokens live an hour unless the grant says otherwise.
func sign(t testing.TB, user ident.ID, grants ...auth.Grant) string {
	t.Helper()
	g := auth.Grant{}
	if len(grants) > 0 {
		g = grants[0]
	}
	g.UserID = user
	if g.TTL == 0 {
		g.TTL = time.Hour
	}
	token, err := auth.Sign([]byte(secret), g)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// device connects a device of the user.
func (n *node) device(user string, grants ...auth.Grant) *raw.Client {
	n.t.Helper()
	c := n.connect(map[string]any{"token": sign(n.t, id(user), grants...)})
	c.Next("authenticated")
	return c
}

// anonymous connects a socket without a user.
func (n *node) anonymous() *raw.Client {
	n.t.Helper()
	return n.connect(nil)
}

func (n *node) connect(auth any) *raw.Client {
	n.t.Helper()
	return raw.Connect(n.t, n.url, raw.Options{Auth: auth, NetDial: n.dial})
}

// member connects a device of the user that is in the rooms.
func (n *node) member(user string, rooms ...string) *raw.Client {
	n.t.Helper()
	c := n.device(user)
	for _, room := range rooms {
		mustSucceed(n.t, c.Ask("join-room", room))
	}
	return c
}

// claimsOf returns the claims of a user without special rights.
func claimsOf(user string) auth.Claims { return auth.Claims{UserID: id(user), AnyRoom: true} }

// socket is the server's side of a client.
func (n *node) socket(c *raw.Client) *socketio.Socket {
	n.t.Helper()
	s := n.io.Namespace("/").Socket(c.ID())
	if s == nil {
		n.t.Fatalf("no socket %s", c.ID())
	}
	return s
}

// settled waits until the service has unregistered disconnected clients.
func (n *node) settled(connections int64) {
	n.t.Helper()
	waittest.Until(n.t, fmt.Sprint(connections, " connections are left"), func() bool { return n.Stats().ActiveConnections == connections })
}

func id(s string) ident.ID { return ident.Of(s) }

var isoTime = regexp.MustCompile(`"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)

// timeless replaces timestamps, which must be of JavaScript's form, so that
// answers compare as text.
func timeless(json string) string { return isoTime.ReplaceAllString(json, `"timestamp":T`) }

// want compares an argument with JSON in which T stands for the timestamp.
func want(t testing.TB, e raw.Event, want string) {
	t.Helper()
	if got := timeless(e.Arg(0)); got != want {
		t.Errorf("%s: got %.500s\nwant %.500s", e.Name, got, want)
	}
}

func mustSucceed(t testing.TB, ack raw.Event) {
	t.Helper()
	if a := ack.Arg(0); len(a) < 16 || a[:16] != `{"success":true,` {
		t.Fatalf("answer %s", a)
	}
}

// mustFail compares the error of an answer.
func mustFail(t testing.TB, ack raw.Event, code, message string) {
	t.Helper()
	want(t, ack, `{"success":false,"error":{"code":"`+code+`","message":"`+message+`"}}`)
}

// nothing checks that the client has been sent no event but those it took.
func nothing(t testing.TB, c *raw.Client) {
	t.Helper()
	if names := c.Names(); len(names) > 0 {
		t.Errorf("unexpected events: %v", names)
	}
}
