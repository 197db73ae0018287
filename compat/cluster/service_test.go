package cluster_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/servertest"
	"github.com/puente-io/puente/server/waittest"
)

const secret = "the secret of the tests: 32 bytes"

func userToken(t *testing.T, user string) string {
	t.Helper()
	text, err := server.MintToken(config.Command{
		Config: config.Config{JWTSecret: config.NewSecret(secret)},
		Token:  config.Token{User: ident.Of(user), TTL: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// fleet is a cluster in the middle of a migration, with Puente nodes and Node
// servers. The client ann, on the first Puente node, publishes for the tests.
type fleet struct {
	t    *testing.T
	node *node
}

// ask sends an event from a client. It fails the test unless the answer is a
// success and arrives within 15 s.
func (f fleet) ask(client, event, arg string) (answer struct{ Success, Delivered bool }) {
	f.t.Helper()
	before := time.Now()
	text := f.node.do(f.t, command{Do: "ask", Name: client, Event: event, Args: raw(arg)})
	if took := time.Since(before); took > 15*time.Second {
		f.t.Errorf("%s was answered after %v", event, took)
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || !answer.Success {
		f.t.Fatalf("%s %s: %s", event, arg, text)
	}
	return answer
}

// delivered publishes a notification from ann and returns the answer's delivered.
func (f fleet) delivered(user, title string) bool {
	f.t.Helper()
	return f.ask("ann", "publish-notification", fmt.Sprintf(`{"targetUserId":%q,"type":"INFO","title":%q}`, user, title)).Delivered
}

// event waits until a client has an event whose argument has the field's value.
func (f fleet) event(client, event, field, value string) {
	f.t.Helper()
	waittest.Until(f.t, fmt.Sprintf("%s has %s %s", client, event, value), func() bool { return f.count(client, event, field, value) > 0 })
}

func (f fleet) count(client, event, field, value string) (n int) {
	f.t.Helper()
	var list [][]map[string]any
	text := f.node.do(f.t, command{Do: "got", Name: client, Event: event})
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		f.t.Fatalf("%s: %v", text, err)
	}
	for _, args := range list {
		if args[0][field] == value {
			n++
		}
	}
	return n
}

// In a mixed cluster whose Node servers follow the migration guide, users on
// either kind are found and reached, and rooms span both kinds.
func TestService(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, puente, node string }{
		{"classic", "classic", "classic"},
		{"sharded", "sharded", "dynamic"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			f := fleet{t, startNode(t)}
			puente := func() *servertest.Node {
				return servertest.Start(t, "JWT_SECRET="+secret, "WS_RATE_LIMIT=0", "SHUTDOWN_TIMEOUT=2000", "REDIS_URL="+redis.URL(), "REDIS_ADAPTER="+tc.puente)
			}
			first, second := puente(), puente()
			onNode := func(n *node, name string) (url string) {
				text := n.do(t, command{Do: "server", Name: name, Redis: redis.URL(), Key: "socket.io", Adapter: tc.node})
				if err := json.Unmarshal([]byte(text), &url); err != nil {
					t.Fatal(err)
				}
				return url
			}
			oldURL := onNode(f.node, "old")
			victim := startNode(t)
			victimURL := onNode(victim, "victim")
			client := func(name, url, user string) {
				f.node.do(t, command{Do: "client", Name: name, URL: url, Token: userToken(t, user)})
				if url == oldURL || url == victimURL {
					f.node.do(t, command{Do: "ask", Name: name, Event: "iam", Args: raw(fmt.Sprintf("%q", user))})
				}
			}
			client("ann", first.URL, "ann")
			client("bob", second.URL, "bob")
			client("nora", oldURL, "nora")
			client("both new", second.URL, "both")
			client("both old", oldURL, "both")
			client("vic", victimURL, "vic")
			defer f.node.do(t, command{Do: "stop", Names: []string{"ann", "bob", "nora", "both new", "both old", "vic", "old"}})

			// Notifications reach users on every server.
			for _, user := range []string{"bob", "nora", "both", "vic"} {
				waittest.Until(t, user+" is found", func() bool { return f.delivered(user, "are you there") })
			}
			for _, c := range []string{"bob", "nora", "both new", "both old", "vic"} {
				f.event(c, "notification", "title", "are you there")
			}
			for user, clients := range map[string][]string{"bob": {"bob"}, "nora": {"nora"}, "both": {"both new", "both old"}} {
				if !f.delivered(user, "once") {
					t.Errorf("not delivered to %s", user)
				}
				f.delivered(user, "last")
				for _, c := range clients {
					f.event(c, "notification", "title", "last")
					if n := f.count(c, "notification", "title", "once"); n != 1 {
						t.Errorf("%s got a notification %d times", c, n)
					}
				}
			}
			for range 10 {
				if f.delivered("nobody", "x") {
					t.Error("delivered to nobody")
				}
			}
			f.node.do(t, command{
				Do: "emit", Server: "old", Rooms: []string{"user:ann"}, Event: "notification", Args: raw(`{"title":"from Node"}`),
			})
			f.event("ann", "notification", "title", "from Node")

			// Rooms.
			f.ask("ann", "join-room", `"r"`)
			f.ask("bob", "join-room", `"r"`)
			f.node.do(t, command{Do: "ask", Name: "nora", Event: "join", Args: raw(`["room:r"]`)})
			waittest.Until(t, "an update reaches all", func() bool {
				f.ask("ann", "publish-update", `{"roomId":"r","type":"settle"}`)
				return f.count("bob", "update", "type", "settle") > 0 && f.count("nora", "update", "type", "settle") > 0
			})
			f.node.do(t, command{
				Do: "emit", Server: "old", Rooms: []string{"room:r"}, Event: "update", Args: raw(`{"roomId":"r","type":"from Node"}`),
			})
			for _, c := range []string{"ann", "bob", "nora"} {
				f.event(c, "update", "type", "from Node")
			}
			if n := f.count("both new", "update", "roomId", "r") + f.count("both old", "update", "roomId", "r"); n != 0 {
				t.Errorf("clients outside the room got %d updates", n)
			}

			// An attachment with three placeholders arrives in all three places, on
			// every server; with more placeholders than clients accept, the event is
			// refused.
			write := func(n int, typ string) {
				places := strings.TrimSuffix(strings.Repeat(`{"_placeholder":true,"num":0},`, n), ",")
				packet := fmt.Sprintf(`51-["publish-update",{"roomId":"r","type":%q,"payload":[%s]}]`, typ, places)
				f.node.do(t, command{Do: "write", Name: "ann", Args: raw(fmt.Sprintf("%q", packet), `{"$bin":"00ff"}`)})
			}
			write(11, "too many")
			write(3, "three")
			f.event("ann", "update-published", "roomId", "r")
			for _, c := range []string{"ann", "bob", "nora"} {
				f.event(c, "update", "type", "three")
				text := f.node.do(t, command{Do: "got", Name: c, Event: "update"})
				if want := `"payload":[{"$bin":"00ff"},{"$bin":"00ff"},{"$bin":"00ff"}]`; !strings.Contains(text, want) || strings.Contains(text, "too many") {
					t.Errorf("%s got %s", c, text)
				}
			}
			if text := f.node.do(t, command{Do: "got", Name: "ann", Event: "error", N: 1}); !strings.Contains(text, `"invalid"`) {
				t.Errorf("the publisher got %s", text)
			}

			// Members on Node receive each join and leave once per user.
			client("cat 1", first.URL, "cat")
			client("cat 2", second.URL, "cat")
			for _, c := range []string{"cat 1", "cat 2"} {
				f.ask(c, "join-room", `"r"`)
			}
			f.event("nora", "user-presence", "userId", "cat")
			f.ask("cat 1", "leave-room", `"r"`)
			f.ask("cat 2", "leave-room", `"r"`)
			for _, c := range []string{"ann", "bob", "nora"} {
				waittest.Until(t, c+" has offline", func() bool { return f.count(c, "user-presence", "status", "offline") > 0 })
			}
			f.delivered("nora", "behind")
			f.event("nora", "notification", "title", "behind")
			for _, c := range []string{"ann", "bob", "nora"} {
				if in, out, both := f.count(c, "user-joined", "userId", "cat"), f.count(c, "user-left", "userId", "cat"), f.count(c, "user-presence", "userId", "cat"); in != 1 || out != 1 || both != 2 {
					t.Errorf("%s: cat has joined %d times and left %d times, presence %d times", c, in, out, both)
				}
			}
			f.node.do(t, command{Do: "stop", Names: []string{"cat 1", "cat 2"}})

			// DisconnectUser disconnects a user on every server.
			if _, err := first.Service().DisconnectUser(t.Context(), ident.Of("both"), "enough"); err != nil {
				t.Error(err)
			}
			for _, c := range []string{"both new", "both old"} {
				f.event(c, "force-disconnect", "reason", "enough")
				f.node.do(t, command{Do: "gone", Name: c})
			}
			f.node.do(t, command{Do: "stop", Names: []string{"nora"}})
			for _, user := range []string{"both", "nora"} {
				waittest.Until(t, user+" is gone", func() bool { return !f.delivered(user, "x") })
			}

			// A Node server hangs, is killed during a request, and is dead.
			victim.Pause()
			if f.delivered("vic", "x") {
				t.Error("delivered by a server that hangs")
			}
			time.AfterFunc(50*time.Millisecond, victim.Kill) // the node waits longer for an answer
			if f.delivered("vic", "x") {
				t.Error("delivered by a server that was killed")
			}
			if f.delivered("vic", "x") || !f.delivered("bob", "after") {
				t.Error("after the server's end vic is connected, or bob is not")
			}
			f.event("bob", "notification", "title", "after")
		})
	}
}
