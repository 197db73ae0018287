package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/handlers"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/cluster/health"
	"github.com/puente-io/puente/server/httpapi"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/waittest"
)

const (
	secret = "a secret of the tests, 32 bytes or more"
	apiKey = "the key of the backends"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// node is a service with its routes.
type node struct {
	t   *testing.T
	svc *realtime.Service
	url string
}

type options struct {
	service realtime.Options
	io      socketio.Options
	api     httpapi.Options
}

func start(t *testing.T, edits ...func(*options)) *node {
	t.Helper()
	verifier, err := auth.New(auth.Options{Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	opts := options{api: httpapi.Options{APIKey: apiKey}}
	opts.service.Verifier = verifier
	for _, edit := range edits {
		edit(&opts)
	}
	io := socketio.New(opts.io)
	opts.service.Namespace = io.Namespace("/")
	svc, err := realtime.New(opts.service)
	if err != nil {
		t.Fatal(err)
	}
	handlers.Register(svc)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.Handle("/", httpapi.New(svc, opts.api))
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		io.Close(context.Background())
		srv.Close()
	})
	return &node{t: t, svc: svc, url: srv.URL}
}

// device connects a device of the user and joins it to the rooms.
func (n *node) device(user string, rooms ...string) *raw.Client {
	n.t.Helper()
	token, err := auth.Sign([]byte(secret), auth.Grant{UserID: ident.Of(user)})
	if err != nil {
		n.t.Fatal(err)
	}
	c := raw.Connect(n.t, n.url, raw.Options{Auth: map[string]string{"token": token}})
	c.Next("authenticated")
	for _, room := range rooms {
		c.Ask("join-room", room)
	}
	return c
}

type answer struct {
	status int
	body   string
	header http.Header
}

// do sends a request with the API key.
func (n *node) do(method, path, body string) answer {
	n.t.Helper()
	return n.request(method, path, body, "Bearer "+apiKey)
}

func (n *node) request(method, path, body, authorization string) answer {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); got != "application/json; charset=utf-8" || !json.Valid(text) {
		n.t.Errorf("%s %s: %s: %.200s", method, path, got, text)
	}
	return answer{res.StatusCode, timeless(string(text)), res.Header}
}

var isoTime = regexp.MustCompile(`"(timestamp|since)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)

// timeless replaces timestamps in the form of JavaScript's toISOString.
func timeless(json string) string { return isoTime.ReplaceAllString(json, `"$1":T`) }

func (n *node) want(got answer, status int, body string) {
	n.t.Helper()
	if got.status != status || got.body != body {
		n.t.Errorf("got %d %.500s\nwant %d %.500s", got.status, got.body, status, body)
	}
}

func (n *node) wantError(got answer, status int, code, message string) {
	n.t.Helper()
	n.want(got, status, `{"success":false,"error":{"code":"`+code+`","message":"`+message+`"}}`)
}

var backendRoutes = []struct{ method, path string }{
	{"POST", "/api/ws/notifications"},
	{"POST", "/api/ws/updates"},
	{"POST", "/api/ws/broadcast"},
	{"POST", "/api/ws/users/ana/events"},
	{"DELETE", "/api/ws/users/ana"},
	{"GET", "/api/ws/users"},
	{"GET", "/api/ws/users/ana"},
	{"GET", "/api/ws/rooms"},
	{"GET", "/api/ws/rooms/r"},
}

func TestKey(t *testing.T) {
	n := start(t)
	for _, route := range backendRoutes {
		for _, wrong := range []string{
			"", "Bearer", "Bearer ", "Bearer wrong", apiKey, "Basic " + apiKey, "Bearer " + apiKey + "x", "Bearer " + apiKey[1:],
		} {
			a := n.request(route.method, route.path, "{}", wrong)
			n.wantError(a, 401, "unauthenticated", "API key missing or wrong")
			if a.header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		}
		if a := n.request(route.method, route.path, "{}", "bearer "+apiKey); a.status != 200 && a.status != 400 {
			t.Errorf("%v with the key: %d %s", route, a.status, a.body)
		}
	}
}

func TestNoKeyNoRoutes(t *testing.T) {
	n := start(t, func(o *options) { o.api.APIKey = "" })
	for _, route := range backendRoutes {
		for _, authorization := range []string{"", "Bearer ", "Bearer x"} {
			n.wantError(n.request(route.method, route.path, "{}", authorization), 404, "not_found", "Not found")
		}
	}
	if a := n.request("GET", "/api/ws/health", "", ""); a.status != 200 {
		t.Errorf("health: %d", a.status)
	}
}

func TestUnknownPaths(t *testing.T) {
	n := start(t)
	for _, path := range []string{"/", "/api/ws", "/api/ws/", "/api/ws/nothing", "/api/ws/users/ana/nothing"} {
		n.wantError(n.do("GET", path, ""), 404, "not_found", "Not found")
	}
}

func TestHealthAndReadiness(t *testing.T) {
	since := time.Date(2024, 12, 20, 15, 30, 0, 0, time.UTC)
	uptime := regexp.MustCompile(`"uptime":\d+`)
	for name, tc := range map[string]struct {
		degraded, required bool
		draining           string
		health, ready      int
		healthBody         string
		readyBody          string
	}{
		"healthy": {
			health: 200, healthBody: `{"healthy":true,"connectedUsers":0,"rooms":0,"uptime":N,"timestamp":T}`,
			ready: 200, readyBody: `{"ready":true}`,
		},
		"draining": {
			draining: "draining",
			health:   200, healthBody: `{"healthy":true,"connectedUsers":0,"rooms":0,"uptime":N,"timestamp":T}`,
			ready: 503, readyBody: `{"ready":false,"reason":"draining"}`,
		},
		"degraded": {
			degraded: true,
			health:   200, healthBody: `{"healthy":true,"connectedUsers":0,"rooms":0,"uptime":N,"timestamp":T,"degraded":{"reason":"redis is away","since":T}}`,
			ready: 200, readyBody: `{"ready":true,"degraded":{"reason":"redis is away","since":T}}`,
		},
		"degraded, and the cluster required": {
			degraded: true, required: true,
			health: 503, healthBody: `{"healthy":false,"connectedUsers":0,"rooms":0,"uptime":N,"timestamp":T,"reason":"redis is away","degraded":{"reason":"redis is away","since":T}}`,
			ready: 503, readyBody: `{"ready":false,"reason":"redis is away","degraded":{"reason":"redis is away","since":T}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(o *options) {
				o.api.Ready = func() string { return tc.draining }
				o.service.ClusterRequired = tc.required
				o.service.Cluster = ill{health.Health{Degraded: tc.degraded, Reason: "redis is away", Since: since}}
			})
			health := n.request("GET", "/api/ws/health", "", "")
			health.body = uptime.ReplaceAllString(health.body, `"uptime":N`)
			n.want(health, tc.health, tc.healthBody)
			n.want(n.request("GET", "/readyz", "", ""), tc.ready, tc.readyBody)
			n.want(n.request("GET", "/healthz", "", ""), 200, `{"healthy":true}`)
		})
	}
}

// ill is a cluster without other nodes whose health the test chooses.
type ill struct{ health health.Health }

func (c ill) Presence() presence.Presence { return presence.NewMemory().Node() }
func (c ill) Health() health.Health       { return c.health }
func (c ill) Gaps() (all, buffers int64)  { return 0, 0 }
func (c ill) Malformed() int64            { return 0 }

// The statistics have the documented fields and a counter for each limit.
func TestStats(t *testing.T) {
	n := start(t)
	n.device("ana", "r")
	a := n.request("GET", "/api/ws/stats", "", "")
	text, limits, _ := strings.Cut(timeless(a.body), `,"limits":`)
	limits, rest, _ := strings.Cut(limits, `,"compression":`)
	if want := `{"messages":0,"bytesBefore":0,"bytesAfter":0},` +
		`"recovery":{"recovered":0,"unknown":0,"busy":0,"offset":0,"incomplete":0,"refused":0,"expired":0,"bytes":0},` +
		`"protocol3":{"active":0,"total":0}}`; rest != want {
		t.Errorf("compression %s, want %s", rest, want)
	}
	if want := `{"connections":1,"disconnections":0,"activeConnections":1,"messagesPublished":0,"messagesReceived":1,` +
		`"errors":0,"connectedUsers":1,"rooms":1,"timestamp":T`; a.status != 200 || text != want {
		t.Errorf("%d %s\nwant %s", a.status, text, want)
	}
	var counts map[string]int64
	if err := json.Unmarshal([]byte(limits), &counts); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"connections", "connectionsPerAddress", "handshakes", "handshakesPerAddress", "unsupportedProtocols", "queueBytes", "messageBytes", "fragments", "payloadPackets",
		"bodyTimeouts", "upgradeTimeouts", "attachments", "arguments", "references", "depth", "namespaces", "connectTimeouts", "attachmentTimeouts", "pendingEvents",
		"userEvents", "socketEvents", "pings", "refusedEvents", "socketsPerUser", "roomsPerSocket", "authTimeouts",
	} {
		if _, ok := counts[name]; !ok {
			t.Errorf("no counter %s", name)
		}
	}
	for name, n := range counts {
		if n != 0 {
			t.Errorf("%s: %d", name, n)
		}
	}
}
