package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
)

// The bytes that a node keeps of a client without a user are bounded, unless
// WS_MAX_ANONYMOUS_BYTES is 0. As soon as the client has a user, the usual limits hold.
func TestMaxAnonymousBytes(t *testing.T) {
	rooms := []string{"r"}
	for range 40 {
		rooms = append(rooms, strings.Repeat("x", 256))
	}
	large := map[string]any{"roomId": "r", "type": "x", "payload": strings.Repeat("x", 200_000)}
	for _, transport := range []raw.Transport{raw.WebSocket, raw.Polling} {
		n := start(t, env{})
		anonymous := func() *raw.Client { return raw.Connect(t, n.url, raw.Options{Transport: transport}) }
		publish := func(c *raw.Client) {
			t.Helper()
			if a := c.Ask("join-room", "r"); !strings.Contains(a.Arg(0), `"success":true`) {
				t.Errorf("join-room: %s", a.Arg(0))
			}
			if a := c.Ask("publish-update", large); !strings.Contains(a.Arg(0), `"success":true`) {
				t.Errorf("publish-update: %.200s", a.Arg(0))
			}
		}
		c := anonymous()
		c.Emit("publish-update", large)
		c.Ended()

		c = anonymous()
		c.Packet(`453-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]`,
			make([]byte, 30_000), make([]byte, 30_000), make([]byte, 30_000))
		c.Ended()

		c = raw.Connect(t, n.url, raw.Options{Transport: transport, Auth: map[string]string{"token": n.token("ana")}})
		publish(c)
		s := n.SocketIO().Namespace("/").Socket(c.ID())
		n.Service().UnregisterUser(t.Context(), s)
		if a := c.Ask("authenticate", map[string]string{"token": n.token("ben")}); !strings.Contains(a.Arg(0), `"success":true`) {
			t.Errorf("authenticate: %s", a.Arg(0))
		}
		publish(c)
		n.Service().UnregisterUser(t.Context(), s)
		c.Emit("publish-update", large)
		c.Ended()

		// The longest tokens fit, and nobody has to wait for the answer.
		long := n.token("ana", auth.Grant{Rooms: rooms})
		if len(long) < 13_000 {
			t.Fatalf("a token of %d bytes", len(long))
		}
		c = anonymous()
		c.Emit("authenticate", map[string]string{"token": long})
		publish(c)
		c.Close()
		publish(raw.Connect(t, n.url, raw.Options{Transport: transport, Auth: map[string]string{"token": long}}))
	}
	n := start(t, env{"WS_MAX_ANONYMOUS_BYTES": "0"})
	c := raw.Connect(t, n.url, raw.Options{})
	if a := c.Ask("publish-update", large); !strings.Contains(a.Arg(0), "unauthenticated") {
		t.Errorf("without the bound: %s", a.Arg(0))
	}
}

// A node does not keep a client's token, or an unusually large header, while the client is
// connected.
func TestWhatAConnectionKeeps(t *testing.T) {
	n := start(t, env{})
	header := http.Header{"Cookie": {"a=b"}, "X-Junk": {strings.Repeat("j", 20_000)}}
	c := raw.Connect(t, n.url, raw.Options{Header: header, Auth: map[string]string{"token": n.token("ana"), "other": "x"}})
	c.Next("authenticated")
	c.Ask("ping")
	h := n.SocketIO().Namespace("/").Socket(c.ID()).Handshake()
	if string(h.Auth.JSON) != "{}" {
		t.Errorf("kept of CONNECT: %s", h.Auth.JSON)
	}
	if h.Headers.Get("Cookie") != "a=b" || h.Headers.Get("X-Junk") != "" {
		t.Errorf("kept of the headers: %.300v", h.Headers)
	}
	if user, ok := n.Service().UserID(c.ID()); !ok || !user.Equal(ident.Of("ana")) {
		t.Errorf("user %v", user)
	}
}
