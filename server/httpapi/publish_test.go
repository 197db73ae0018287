package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/httpapi"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
	"github.com/puente-io/puente/server/waittest"
)

func TestPublish(t *testing.T) {
	n := start(t)
	c := n.device("ana", "r")
	n.want(n.do("POST", "/api/ws/notifications", `{"targetUserId":"ana","type":"INFO","title":"Hi"}`), 200,
		`{"success":true,"delivered":true,"timestamp":T}`)
	if got := timeless(c.Next("notification").Arg(0)); got != `{"type":"INFO","title":"Hi","message":"","payload":null,"priority":"normal","from":null,"timestamp":T}` {
		t.Errorf("notification %s", got)
	}
	n.want(n.do("POST", "/api/ws/notifications", `{"userId":"nobody","type":"INFO","title":"Hi"}`), 200,
		`{"success":true,"delivered":false,"timestamp":T}`)

	n.want(n.do("POST", "/api/ws/updates", " \r\n\t"+`{"roomId":"r","type":"x","payload":{"b" : 1, "a":1e400}} `), 200,
		`{"success":true,"roomId":"r","timestamp":T}`)
	if got := timeless(c.Next("update").Arg(0)); got != `{"roomId":"r","type":"x","payload":{"b" : 1, "a":1e400},"from":null,"timestamp":T}` {
		t.Errorf("update %s", got)
	}

	n.want(n.do("POST", "/api/ws/broadcast", `{"event":"news","data":["soon"]}`), 200, `{"success":true,"timestamp":T}`)
	if got := c.Next("news").Arg(0); got != `["soon"]` {
		t.Errorf("news %s", got)
	}
	n.want(n.do("POST", "/api/ws/users/ana/events", `{"event":"custom"}`), 200, `{"success":true,"delivered":true,"timestamp":T}`)
	if got := c.Next("custom").Arg(0); got != `null` {
		t.Errorf("custom %s", got)
	}
	n.want(n.do("POST", "/api/ws/users/nobody/events", `{"event":"custom","data":1}`), 200, `{"success":true,"delivered":false,"timestamp":T}`)

	n.want(n.do("DELETE", "/api/ws/users/ana", ""), 200, `{"success":true,"devices":1,"timestamp":T}`)
	if got := c.Next("force-disconnect").Arg(0); got != `{"reason":"disconnected by the server"}` {
		t.Errorf("force-disconnect %s", got)
	}
	c.Disconnected()
	waittest.Until(t, "the device is unregistered", func() bool { return !n.svc.IsUserConnected(ident.Of("ana")) })
	n.want(n.do("DELETE", "/api/ws/users/ana", ""), 200, `{"success":true,"devices":0,"timestamp":T}`)
}

// The responses of the routes equal the acknowledgements of the events.
func TestAnswersEqualAcknowledgements(t *testing.T) {
	n := start(t)
	c := n.device("ana", "r")
	for _, tc := range []struct{ event, path, body string }{
		{"publish-notification", "/api/ws/notifications", `{"targetUserId":"ana","type":"INFO","title":"Hi"}`},
		{"publish-notification", "/api/ws/notifications", `{"targetUserId":"ana","type":"info","title":"Hi"}`},
		{"publish-notification", "/api/ws/notifications", `{"targetUserId":"ana","type":"INFO","title":"Hi","payload":[]}`},
		{"publish-update", "/api/ws/updates", `{"roomId":"r","type":"x"}`},
		{"publish-update", "/api/ws/updates", `{"roomId":1.5,"type":"x"}`},
		{"publish-update", "/api/ws/updates", `[]`},
		{"publish-update", "/api/ws/updates", `null`},
	} {
		ack := timeless(c.Ask(tc.event, rawJSON(tc.body)).Arg(0))
		status := 200
		if strings.Contains(ack, `"success":false`) {
			status = 400
		}
		n.want(n.do("POST", tc.path, tc.body), status, ack)
	}
}

type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func TestInvalidBodies(t *testing.T) {
	n := start(t, func(o *options) { o.api.MaxBody = 1000 })
	c := n.device("ana", "r")
	for _, body := range []string{"", " ", "text", `{"roomId":"r"`, `{"roomId":"r","type":"x"} {}`, `{"roomId":"r","type":"x",}`, `[1]`, "nul"} {
		n.wantError(n.do("POST", "/api/ws/updates", body), 400, "invalid", "argument must be an object")
	}
	n.wantError(n.do("POST", "/api/ws/updates", "{\"roomId\":\"r\",\"type\":\"x\",\"payload\":\"\xff\"}"), 400, "invalid", "body must be JSON in UTF-8")
	n.wantError(n.do("POST", "/api/ws/updates", `{"payload":"`+strings.Repeat("a", 1000)+`"}`), 413, "invalid", "body must be at most 1000 bytes")
	deep := `{"roomId":"r","type":"x","payload":` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + `}`
	if a := n.do("POST", "/api/ws/updates", deep); a.status != 200 {
		t.Errorf("400 deep: %d %s", a.status, a.body)
	}
	c.Next("update")
	for _, event := range []string{`connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener`, `removeListener`} {
		n.wantError(n.do("POST", "/api/ws/broadcast", `{"event":"`+event+`"}`), 400, "invalid", "event must be a name that has no meaning of its own")
	}
	for _, event := range []string{`""`, `7`, `null`, `"a\u0000"`} {
		n.wantError(n.do("POST", "/api/ws/broadcast", `{"event":`+event+`}`), 400, "invalid", "event must be a string of 1 to 256 characters without control characters")
	}
	n.wantError(n.do("DELETE", "/api/ws/users/a%00b", ""), 400, "invalid", "id must be "+ident.Allowed)
	n.wantError(n.do("GET", "/api/ws/rooms/"+strings.Repeat("a", 257), ""), 400, "invalid", "id must be "+ident.Allowed)
	if names := c.Names(); len(names) > 0 {
		t.Errorf("events %v", names)
	}
}

// Field names are case-sensitive.
func TestFieldNamesMatchExactly(t *testing.T) {
	n := start(t)
	n.device("ana", "r")
	for path, body := range map[string]string{
		"/api/ws/updates":          `{"ROOMID":"r","type":"x"}`,
		"/api/ws/notifications":    `{"TargetUserId":"ana","type":"INFO","title":"t"}`,
		"/api/ws/broadcast":        `{"EVENT":"e"}`,
		"/api/ws/users/ana/events": `{"Event":"e"}`,
	} {
		if a := n.do("POST", path, body); a.status != 400 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// A body may be nested as deeply as the argument of an event. Deeper bodies are
// invalid, with the error of the event, and counted.
func TestDeepBodies(t *testing.T) {
	n := start(t)
	c := n.device("ana", "r")
	refused := int64(0)
	for _, depth := range []int{511, 512, 5_000, 10_000, 400_000} {
		deep := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		for path, body := range map[string]string{
			"/api/ws/updates":          `{"roomId":"r","type":"x","payload":` + deep + `}`,
			"/api/ws/broadcast":        `{"event":"e","data":` + deep + `}`,
			"/api/ws/users/ana/events": `{"event":"e","data":` + deep + `}`,
			"/api/ws/notifications":    `{"targetUserId":"ana","type":"INFO","title":"t","ignored":` + deep + `}`,
		} {
			a := n.do("POST", path, body)
			if depth == 511 {
				if a.status != 200 {
					t.Errorf("%s, %d deep: %d %s", path, depth, a.status, a.body)
				}
				continue
			}
			n.wantError(a, 400, "invalid", "arguments must be nested 512 levels deep at most")
			refused++
		}
	}
	for _, event := range []string{"update", "e", "e", "notification"} {
		c.Next(event)
	}
	if names := c.Names(); len(names) > 0 {
		t.Errorf("events %v", names)
	}
	if got := n.svc.Stats().Limits.Depth; got != refused {
		t.Errorf("%d refused bodies counted, want %d", got, refused)
	}
}

// A backend sends no attachments: what looks like a placeholder is data.
func TestPlaceholdersInBodies(t *testing.T) {
	n := start(t)
	c := n.device("ana", "r")
	const payload = `{"a":{"_placeholder":true,"num":0},"b":{"_placeholder":true,"num":-1}}`
	if a := n.do("POST", "/api/ws/updates", `{"roomId":"r","type":"x","payload":`+payload+`}`); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if e := c.Next("update"); !strings.Contains(e.Arg(0), payload) || len(e.Attachments) != 0 {
		t.Errorf("update %s, %d attachments", e.Arg(0), len(e.Attachments))
	}
}

type failing struct{ adapter.Adapter }

func (failing) Broadcast(context.Context, *packet.Packet, adapter.Selection, adapter.Flags) error {
	return adapter.ErrUnavailable
}

func TestClusterSlow(t *testing.T) {
	n := start(t, func(o *options) {
		memory := adapter.NewMemory().Factory()
		o.io.Adapter = func(l adapter.Local) adapter.Adapter { return failing{memory(l)} }
	})
	n.wantError(n.do("POST", "/api/ws/updates", `{"roomId":"r","type":"x"}`), 503, "unavailable", "Service unavailable")
	n.wantError(n.do("POST", "/api/ws/broadcast", `{"event":"x"}`), 503, "unavailable", "Service unavailable")
}

// HARDENING, hostile or broken clients: a request with an incomplete body ends after
// 45 s, with the API key or without.
func TestIncompleteBody(t *testing.T) {
	for _, key := range []string{apiKey, "wrong"} {
		synctest.Test(t, func(t *testing.T) {
			io := socketio.New(socketio.Options{})
			svc, err := realtime.New(realtime.Options{Namespace: io.Namespace("/")})
			if err != nil {
				t.Fatal(err)
			}
			network := raw.NewNetwork()
			srv := &http.Server{Handler: httpapi.New(svc, httpapi.Options{APIKey: apiKey})}
			served := make(chan struct{})
			go func() { defer close(served); srv.Serve(network) }()
			client, err := network.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := client.Write([]byte("POST /api/ws/updates HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\nContent-Length: 100\r\n\r\n{")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 4096)
			for err == nil {
				_, err = client.Read(buf)
			}
			if took := time.Since(began); took < 44*time.Second || took > 50*time.Second {
				t.Errorf("the connection ended after %v", took)
			}
			srv.Close()
			io.Close(t.Context())
			<-served
		})
	}
}
