package server

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) {
	// Development nodes write their secrets to this directory, and not to that of the
	// person who runs the tests.
	dir, err := os.MkdirTemp("", "puente-test")
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_RUNTIME_DIR", dir)
	code := waittest.Run(m)
	os.RemoveAll(dir)
	os.Exit(code)
}

const (
	jwtSecret = "the secret of the tokens, long enough"
	apiKey    = "the key of the backends, long enough"
)

// env is a configuration as environment variables.
type env map[string]string

// parse returns the configuration, with defaults for tests.
func (e env) parse(t *testing.T) config.Config {
	t.Helper()
	cmd, err := config.Parse(nil, func(name string) string {
		if v, ok := e[name]; ok {
			return v
		}
		return map[string]string{"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "JWT_SECRET": jwtSecret, "API_KEY": apiKey}[name]
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Config
}

// node is a node that runs.
type node struct {
	*Server
	t    *testing.T
	log  *logBuffer
	stop context.CancelFunc
	ran  chan error // what Run returned
	url  string
	http http.Client
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// start runs a node until the test ends.
func start(t *testing.T, e env) *node {
	t.Helper()
	return startOn(t, e, nil)
}

// startOn runs a node on a network in memory.
func startOn(t *testing.T, e env, network *raw.Network) *node {
	t.Helper()
	n := &node{t: t, log: new(logBuffer), ran: make(chan error, 1)}
	srv, err := New(e.parse(t), n.log)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if network != nil {
		srv.listener.Close()
		srv.listener = network
		transport.DialContext, n.dial = network.Dial, network.Dial
	}
	n.http.Transport = transport
	n.Server, n.url = srv, "http://"+srv.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	var once sync.Once
	done := make(chan struct{})
	go func() { n.ran <- srv.Run(ctx); close(done) }()
	t.Cleanup(func() { once.Do(stop); <-done })
	return n
}

// logBuffer is what a node logs.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (n *node) token(user string, grants ...auth.Grant) string {
	n.t.Helper()
	var g auth.Grant
	if len(grants) > 0 {
		g = grants[0]
	}
	g.UserID = ident.Of(user)
	token, err := auth.Sign([]byte(jwtSecret), g)
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

func (n *node) device(user string) *raw.Client {
	n.t.Helper()
	c := raw.Connect(n.t, n.url, raw.Options{Auth: map[string]string{"token": n.token(user)}, NetDial: n.dial})
	c.Next("authenticated")
	return c
}

// do sends a request; headers are "Name: value".
func (n *node) do(method, path, body string, headers ...string) (status int, text string, header http.Header) {
	n.t.Helper()
	r, err := http.NewRequest(method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	res, err := n.http.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

const polling = "/socket.io/?EIO=4&transport=polling"
