package cluster_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

const waitTimeout = 20 * time.Second

// doer is a server or an emitter that runs commands.
type doer interface {
	do(t *testing.T, c command) string
}

// nodePeer is a server or emitter in the process of peer.mjs.
type nodePeer struct {
	*node
	name string
}

func (p nodePeer) do(t *testing.T, c command) string {
	t.Helper()
	c.Server = p.name
	return p.node.do(t, c)
}

// pair is two servers of one cluster and their clients. The tests run commands
// on from and check their effects on to. The clients are f1 on from in room "r";
// t1 on to in "r" and "q"; t2 on to in "s"; c1 on to in "r" of namespace /chat.
type pair struct {
	t        *testing.T
	node     *node
	from, to doer
	fromNode bool // from is Node or the emitter
	emitter  bool // from is the emitter
	sharded  bool
	toName   string
	ids      map[string]string // socket ids by client
}

func TestClassic(t *testing.T) {
	t.Parallel()
	run(t, "classic", redisadapter.Options{})
}

func TestClassicSpecificResponses(t *testing.T) {
	t.Parallel()
	run(t, "classic specific", redisadapter.Options{SpecificResponses: true})
}

func TestShardedDynamic(t *testing.T) {
	t.Parallel()
	run(t, "dynamic", redisadapter.Options{Mode: redisadapter.Sharded})
}

func TestShardedDynamicPrivate(t *testing.T) {
	t.Parallel()
	run(t, "dynamic-private", redisadapter.Options{Mode: redisadapter.Sharded, Subscriptions: redisadapter.DynamicPrivate})
}

func TestShardedStatic(t *testing.T) {
	t.Parallel()
	run(t, "static", redisadapter.Options{Mode: redisadapter.Sharded, Subscriptions: redisadapter.Static})
}

// run tests all features in all directions.
func run(t *testing.T, adapter string, opts redisadapter.Options) {
	server := redistest.Start(t)
	n := startNode(t)
	sharded := opts.Mode == redisadapter.Sharded
	directions := []string{"Puente→Puente", "Puente→Node", "Node→Puente"}
	if !sharded {
		directions = append(directions, "emitter→Puente")
	}
	for i, direction := range directions {
		t.Run(direction, func(t *testing.T) {
			opts := opts
			opts.URL, opts.Prefix = server.URL(), fmt.Sprint("key", i)
			p := &pair{t: t, node: n, sharded: sharded, ids: make(map[string]string), toName: fmt.Sprint("to", i)}
			fromName := fmt.Sprint("from", i)
			nodeServer := func(name string) (doer, string) {
				var url string
				text := n.do(t, command{Do: "server", Name: name, Redis: server.URL(), Key: opts.Prefix, Adapter: adapter})
				if err := json.Unmarshal([]byte(text), &url); err != nil {
					t.Fatal(err)
				}
				return nodePeer{n, name}, url
			}
			var fromURL, toURL string
			switch direction {
			case "Puente→Puente", "Puente→Node":
				from := startPuente(t, fromName, opts)
				p.from, fromURL = from, from.url
			case "Node→Puente":
				p.from, fromURL = nodeServer(fromName)
				p.fromNode = true
			default:
				n.do(t, command{Do: "emitter", Name: fromName, Redis: server.URL(), Key: opts.Prefix})
				p.from, p.fromNode, p.emitter = nodePeer{n, fromName}, true, true
			}
			if direction == "Puente→Node" {
				p.to, toURL = nodeServer(p.toName)
			} else {
				to := startPuente(t, p.toName, opts)
				p.to, toURL = to, to.url
			}
			client := func(name, url, nsp string, rooms ...string) {
				text := n.do(t, command{Do: "client", Name: name, URL: url, NSP: nsp, Rooms: rooms})
				p.ids[name] = text[1 : len(text)-1]
			}
			if !p.emitter {
				client("f1", fromURL, "", "r")
			}
			client("t1", toURL, "", "r", "q")
			client("t2", toURL, "", "s")
			client("c1", toURL, "/chat", "r")
			defer n.do(t, command{Do: "stop", Names: []string{"f1", "t1", "t2", "c1", fromName, p.toName}})
			p.settle()
			for _, f := range features {
				if p.emitter && !f.emitter || sharded && f.classic {
					continue
				}
				t.Run(f.name, func(t *testing.T) {
					q := *p
					q.t = t
					f.test(&q)
				})
			}
		})
	}
}

// settle waits until the servers see each other and from reaches every room.
func (p *pair) settle() {
	p.t.Helper()
	nodes := "1"
	if !p.emitter {
		nodes = "2"
		waittest.Until(p.t, "from counts two servers", func() bool { return p.from.do(p.t, command{Do: "serverCount"}) == nodes })
	}
	waittest.Until(p.t, "to counts the servers", func() bool { return p.to.do(p.t, command{Do: "serverCount"}) == nodes })
	for _, s := range [][3]string{{"t1", "", "r"}, {"t1", "", "q"}, {"t2", "", "s"}, {"c1", "/chat", "r"}} {
		for _, room := range []string{s[2], p.ids[s[0]]} {
			waittest.Until(p.t, s[0]+" is reached", func() bool {
				p.from.do(p.t, command{Do: "emit", NSP: s[1], Rooms: []string{room}, Event: "settle" + room})
				return p.node.do(p.t, command{Do: "has", Name: s[0], Event: "settle" + room}) == "true"
			})
		}
	}
}

// emit makes from emit an event with the name of the test.
func (p *pair) emit(c command) {
	p.t.Helper()
	c.Do, c.Event = "emit", p.t.Name()
	p.from.do(p.t, c)
}

// got checks the arguments of the test's events at a client. It waits for as many
// events as are wanted, and for a marker that is sent after them.
func (p *pair) got(client string, want ...string) {
	p.t.Helper()
	end := p.t.Name() + " end"
	p.from.do(p.t, command{Do: "emit", Rooms: []string{p.ids[client]}, Event: end})
	p.node.do(p.t, command{Do: "got", Name: client, Event: end, N: 1})
	p.same("["+joined(want)+"]", p.node.do(p.t, command{Do: "got", Name: client, Event: p.t.Name(), N: len(want)}))
}

func (p *pair) same(want, got string) {
	p.t.Helper()
	if !equal(want, got) {
		p.t.Errorf("got  %.1000s\nwant %.1000s", got, want)
	}
}

func joined(list []string) (s string) {
	for i, v := range list {
		if i > 0 {
			s += ","
		}
		s += v
	}
	return s
}

func equal(a, b string) bool {
	var va, vb any
	return json.Unmarshal([]byte(a), &va) == nil && json.Unmarshal([]byte(b), &vb) == nil && reflect.DeepEqual(va, vb)
}

// sorted returns a JSON array with its elements sorted by their JSON text.
func sorted(t *testing.T, array string) string {
	t.Helper()
	var list []any
	if err := json.Unmarshal([]byte(array), &list); err != nil {
		t.Fatalf("%s: %v", array, err)
	}
	texts := make([]string, len(list))
	for i, v := range list {
		b, _ := json.Marshal(v)
		texts[i] = string(b)
	}
	slices.Sort(texts)
	return "[" + joined(texts) + "]"
}

func raw(args ...string) []json.RawMessage {
	list := make([]json.RawMessage, len(args))
	for i, a := range args {
		list[i] = json.RawMessage(a)
	}
	return list
}
