package clienttests_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/puente-io/puente/compat/raw"
)

const apiKey = "the key of the backends, long enough"

// TestDocumentedEvents sends every event of the document, with and without a
// callback.
func TestDocumentedEvents(t *testing.T) {
	n := startNode(t, "API_KEY="+apiKey)
	ana := raw.Connect(t, n.url, raw.Options{})
	want(t, ana.Ask("authenticate", map[string]string{"token": token(t, "ana"), "userId": "ana"}),
		`{"success":true,"userId":"ana","socketId":"`+ana.ID()+`","timestamp":T}`)
	ana.Next("authenticated")
	want(t, ana.Ask("ping"), `{"timestamp":T}`)
	want(t, ana.Next("pong"), `{"timestamp":T}`)
	ben := n.device("ben")

	want(t, ana.Ask("join-room", map[string]string{"roomId": "r"}), `{"success":true,"roomId":"r","users":["ana"],"total":1,"timestamp":T}`)
	ben.Emit("join-room", "r")
	want(t, ben.Next("room-joined"), `{"success":true,"roomId":"r","users":["ana","ben"],"total":2,"timestamp":T}`)
	want(t, ana.Next("user-joined"), `{"userId":"ben","roomId":"r","timestamp":T}`)
	want(t, ana.Next("user-presence"), `{"userId":"ben","roomId":"r","status":"online","timestamp":T}`)

	want(t, ana.Ask("publish-update", map[string]any{"roomId": "r", "type": "x", "payload": 1}), `{"success":true,"roomId":"r","timestamp":T}`)
	want(t, ana.Next("update"), `{"roomId":"r","type":"x","payload":1,"from":"ana","timestamp":T}`)
	want(t, ben.Next("update"), `{"roomId":"r","type":"x","payload":1,"from":"ana","timestamp":T}`)
	ben.Emit("publish-update", map[string]any{"roomId": "r", "type": "y"})
	want(t, ben.Next("update-published"), `{"success":true,"roomId":"r","timestamp":T}`)
	ana.Next("update")

	note := map[string]any{"targetUserId": "ben", "type": "ALERT", "title": "Hi", "message": "there", "priority": "high", "payload": map[string]any{}}
	want(t, ana.Ask("publish-notification", note), `{"success":true,"delivered":true,"timestamp":T}`)
	want(t, ben.Next("notification"), `{"type":"ALERT","title":"Hi","message":"there","payload":{},"priority":"high","from":"ana","timestamp":T}`)
	ana.Emit("publish-notification", note)
	want(t, ana.Next("notification-sent"), `{"success":true,"delivered":true,"timestamp":T}`)

	want(t, ben.Ask("leave-room", "r"), `{"success":true,"roomId":"r","timestamp":T}`)
	want(t, ana.Next("user-left"), `{"userId":"ben","roomId":"r","timestamp":T}`)
	want(t, ana.Next("user-presence"), `{"userId":"ben","roomId":"r","status":"offline","timestamp":T}`)
	ana.Emit("leave-room", map[string]string{"roomId": "r"})
	want(t, ana.Next("room-left"), `{"success":true,"roomId":"r","timestamp":T}`)

	ana.Emit("join-room")
	if e := ana.Next("error"); !strings.HasPrefix(e.Arg(0), `"roomId must be `) || !strings.Contains(e.Arg(1), `"event":"join-room"`) {
		t.Errorf("error %s", e.Args)
	}
	status, body := n.do("DELETE", "/api/ws/users/ana", "")
	if status != 200 || timeless(body) != `{"success":true,"devices":1,"timestamp":T}` {
		t.Errorf("%d %s", status, body)
	}
	want(t, ana.Next("force-disconnect"), `{"reason":"disconnected by the server"}`)
	ana.Disconnected()
}

// An update arrives unchanged on every transport, attachments included, and every
// way to disconnect is noticed.
func TestTransports(t *testing.T) {
	n := startNode(t, "API_KEY="+apiKey)
	watcher := n.device("watcher", "r")
	transports := []raw.Transport{raw.WebSocket, raw.Polling, raw.Upgrade}
	devices := make(map[raw.Transport]*raw.Client)
	for _, tr := range transports {
		c := raw.Connect(t, n.url, raw.Options{Transport: tr, Auth: map[string]string{"token": token(t, tr.String())}})
		c.Next("authenticated")
		c.Ask("join-room", "r")
		devices[tr] = c
	}
	for _, from := range transports {
		devices[from].Packet(`451-7["publish-update",{"roomId":"r","type":"x","payload":{"b":{"_placeholder":true,"num":0}, "n": 1.0}}]`, []byte{0, 1, 255})
		for _, to := range transports {
			e := devices[to].Next("update")
			if !strings.Contains(e.Arg(0), `"payload":{"b":{"_placeholder":true,"num":0}, "n": 1.0},"from":"`+from.String()+`"`) ||
				len(e.Attachments) != 1 || string(e.Attachments[0]) != "\x00\x01\xff" {
				t.Errorf("from %v to %v: %s with % x", from, to, e.Args, e.Attachments)
			}
		}
	}
	devices[raw.Polling].Send("1")
	devices[raw.Upgrade].Reset()
	devices[raw.WebSocket].Close()
	for range transports {
		watcher.Next("user-left")
	}
}

// A notification reaches all devices of a user, and a user leaves a room with its
// last device.
func TestSeveralDevices(t *testing.T) {
	n := startNode(t, "API_KEY="+apiKey)
	watcher := n.device("watcher")
	watcher.Ask("join-room", "r")
	devices := []*raw.Client{n.device("ana"), n.device("ana"), n.device("ana")}
	for _, d := range devices {
		want(t, d.Ask("join-room", "r"), `{"success":true,"roomId":"r","users":["watcher","ana"],"total":2,"timestamp":T}`)
	}
	watcher.Ask("publish-notification", map[string]string{"targetUserId": "ana", "type": "INFO", "title": "Hi"})
	for _, d := range devices {
		d.Next("notification")
	}
	devices[0].Close()
	devices[1].Emit("leave-room", "r")
	devices[1].Next("room-left")
	watcher.Next("user-joined")
	watcher.Next("user-presence")
	if names := watcher.Names(); len(names) > 0 {
		t.Errorf("ana has a device in the room, but the watcher got %v", names)
	}
	devices[2].Close()
	want(t, watcher.Next("user-left"), `{"userId":"ana","roomId":"r","timestamp":T}`)
	if _, body := n.do("GET", "/api/ws/users/ana", ""); !strings.Contains(body, `"connected":true,"devices":["`+devices[1].ID()+`"],"rooms":[]`) {
		t.Errorf("ana: %s", body)
	}
}

// A hundred clients connect at once and join a room, and all receive an update.
func TestHundredConnections(t *testing.T) {
	n := startNode(t, "API_KEY="+apiKey)
	clients := make([]*raw.Client, 100)
	var all errgroup.Group
	for i := range clients {
		all.Go(func() error {
			clients[i] = n.device(fmt.Sprintf("user-%d", i))
			clients[i].Ask("join-room", "everyone")
			return nil
		})
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
	if _, body := n.do("GET", "/api/ws/rooms/everyone?limit=1", ""); !strings.Contains(body, `"total":100`) {
		t.Errorf("room: %s", body)
	}
	clients[0].Ask("publish-update", map[string]any{"roomId": "everyone", "type": "x"})
	for _, c := range clients {
		want(t, c.Next("update"), `{"roomId":"everyone","type":"x","payload":null,"from":"user-0","timestamp":T}`)
	}
}

// With WS_AUTH_REQUIRED a client without a token is refused, as by the document's
// middleware.
func TestAuthRequired(t *testing.T) {
	n := startNode(t, "WS_AUTH_REQUIRED=true")
	if _, refusal := raw.Try(t, n.url, raw.Options{}); refusal != `{"message":"Authentication failed","data":{"code":"token_missing"}}` {
		t.Errorf("refusal %s", refusal)
	}
	n.device("ana").Ask("ping")
}

var isoTime = regexp.MustCompile(`"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)

// timeless replaces timestamps, which must have the form of JavaScript's toISOString.
func timeless(json string) string { return isoTime.ReplaceAllString(json, `"timestamp":T`) }

// want compares the first argument of an event with want, in which T is a timestamp.
func want(t *testing.T, e raw.Event, want string) {
	t.Helper()
	if got := timeless(e.Arg(0)); got != want {
		t.Errorf("%s: got %.500s\nwant %.500s", e.Name, got, want)
	}
}

// do sends a request with the API key.
func (n *clusterNode) do(method, path, body string) (status int, text string) {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+apiKey)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
