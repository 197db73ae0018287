package redisadapter_test

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// rights are the commands that each mode needs, and those that it uses if they are
// allowed.
// server/README.md has the same list.
var rights = map[string]struct{ needed, used string }{
	"Classic": {"+publish +subscribe +psubscribe", "+ping +role +unsubscribe +punsubscribe +pubsub|numsub"},
	"Sharded": {"+spublish +ssubscribe", "+ping +role +sunsubscribe +pubsub|shardnumsub"},
}

// channels are the rules for the channels of the namespace / and of presence. To
// subscribe to a pattern a user must have exactly that pattern.
func channels(prefix string) string {
	return "&" + prefix + "#/#* &" + prefix + "-request#/# &" + prefix + "-response#/#* &" + prefix + "-presence#*"
}

// as returns options of a user that has only the rights in the rules.
func as(t *testing.T, server *redistest.Server, opts redisadapter.Options, rules string) redisadapter.Options {
	t.Helper()
	setRules(server, "reset on >secret "+rules)
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("node", "secret")
	opts.URL = u.String()
	return opts
}

func setRules(server *redistest.Server, rules string) {
	args := []any{"ACL", "SETUSER", "node"}
	for _, rule := range strings.Fields(rules) {
		args = append(args, rule)
	}
	server.Do(args...)
}

// The rights that are needed are enough: nodes reach each other, in rooms that
// come and go, and stay well while nothing is said.
func TestNeededRightsAreEnough(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		opts = as(t, server, opts, channels(opts.Prefix)+" "+rights[strings.TrimPrefix(t.Name(), "TestNeededRightsAreEnough/")].needed)
		var troubles atomic.Int64
		opts.Hooks.Health = func(h redisadapter.Health) {
			if h.Degraded {
				troubles.Add(1)
				t.Logf("degraded: %s", h.Reason)
			}
		}
		p := startTwo(t, opts)
		adaptertest.Eventually(t, "both are well", func() bool {
			return p.well()
		})
		adaptertest.Eventually(t, "broadcasts arrive", func() bool { p.broadcast(t); return p.socket.Len() > 0 })
		time.Sleep(3 * time.Second) // silent connections are pinged in this time
		for range 3 {               // of the same room, which has to be subscribed to again
			p.socket.Leave("r")
			p.socket.Join("r")
			before := p.socket.Len()
			adaptertest.Eventually(t, "broadcasts arrive again", func() bool { p.broadcast(t); return p.socket.Len() > before })
		}
		if n := troubles.Load(); n > 0 {
			t.Errorf("the nodes were degraded %d times", n)
		}
		if dropped := p.clusters[0].Stats().Dropped; dropped > 0 {
			t.Errorf("%d messages were dropped", dropped)
		}
		p.inOrder(t)
	})
}

// With all rights that are used, requests are answered, too.
func TestAllRights(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		r := rights[strings.TrimPrefix(t.Name(), "TestAllRights/")]
		p := startTwo(t, as(t, server, opts, channels(opts.Prefix)+" "+r.needed+" "+r.used))
		p.works(t, "the start")
		p.inOrder(t)
		server.Do("ACL", "LOG", "RESET")
		p.socket.Leave("r")
		p.socket.Join("r")
		p.works(t, "a room that went and came")
		client := server.Client()
		defer client.Close()
		if log, err := client.ACLLog(t.Context(), 10).Result(); err != nil || len(log) > 0 {
			t.Errorf("Redis refused %d: %v", len(log), err)
			for _, entry := range log {
				t.Errorf("%+v", *entry)
			}
		}
	})
}

// Health says what Redis has refused, and that it is over when it is. What was published
// while a subscription was refused is missing: that is a gap.
func TestRefusalsAreNamed(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		mode := strings.TrimPrefix(t.Name(), "TestRefusalsAreNamed/")
		all := channels(opts.Prefix) + " " + rights[mode].needed
		without := strings.NewReplacer("+s", "-s", "+p", "-p")
		for _, right := range strings.Fields(rights[mode].needed) {
			t.Run(right, func(t *testing.T) {
				o := as(t, server, opts, all+" "+without.Replace(right))
				p := startTwo(t, o)
				command := strings.ToUpper(right[1:])
				for i, c := range p.clusters { // a node that has not asked yet is not refused
					adaptertest.Eventually(t, "health names "+command, func() bool {
						p.nodes[i].Adapter.Broadcast(t.Context(), event(`["e"]`), roomR, adapter.Flags{})
						h := c.Health()
						return h.Degraded && strings.HasPrefix(h.Reason, "NOPERM") && strings.Contains(h.Reason, command+" on "+opts.Prefix)
					})
				}
				setRules(server, right)
				adaptertest.Eventually(t, "all is well", func() bool {
					p.broadcast(t)
					return p.well() && p.socket.Len() > 0
				})
				for i, c := range p.clusters {
					if gaps := c.Stats().Gaps; (gaps > 0) != strings.HasSuffix(right, "subscribe") {
						t.Errorf("node %d counts %d gaps", i, gaps)
					}
				}
			})
		}
	})
}

// reasons are what health has said.
type reasons struct {
	mu   sync.Mutex
	list []string
}

func (r *reasons) note(h redisadapter.Health) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, h.Reason)
}

func (r *reasons) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// If a node loses the right to publish, its health says so until the right is back,
// whether it publishes or not, and it cuts no connection.
func TestRightToPublishIsWithdrawn(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		r := rights[strings.TrimPrefix(t.Name(), "TestRightToPublishIsWithdrawn/")]
		var said reasons
		opts.Hooks.Health = said.note
		opts = as(t, server, opts, channels(opts.Prefix)+" "+r.needed+" "+r.used)
		p := startTwo(t, opts)
		p.works(t, "the start")
		client := server.Client()
		defer client.Close()
		connections := func() string {
			list, err := client.Do(t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for line := range strings.Lines(list) {
				ids = append(ids, strings.Fields(line)[0])
			}
			slices.Sort(ids)
			return strings.Join(ids, " ")
		}
		for range 2 {
			before, began := connections(), len(said.all())
			command := strings.Fields(r.needed)[0][1:] // publish or spublish
			setRules(server, "-"+command)
			denied := func() bool {
				return slices.ContainsFunc(p.clusters[:], func(c *redisadapter.Cluster) bool {
					return !strings.HasPrefix(c.Health().Reason, "NOPERM: the Redis user may not run "+strings.ToUpper(command)+" on ")
				})
			}
			adaptertest.Eventually(t, "both say so while they are idle", func() bool { return !denied() })
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if err := p.says(t, "r", "x"); err == nil {
					t.Fatal("a message was accepted")
				}
				if denied() {
					t.Fatalf("health says %+v and %+v", p.clusters[0].Health(), p.clusters[1].Health())
				}
			}
			for _, reason := range said.all()[began:] {
				if !strings.HasPrefix(reason, "NOPERM") {
					t.Errorf("health said %q", reason)
				}
			}
			if after := connections(); after != before {
				t.Errorf("the subscribed connections were %s, and are %s", before, after)
			}
			setRules(server, "+"+command)
			adaptertest.Eventually(t, "both are well while they are idle", func() bool { return p.well() })
			p.works(t, "the return of the right")
		}
	})
}

// The first reason stays while nothing changes.
func TestReasonStays(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("CONFIG", "SET", "requirepass", "secret")
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said reasons
			opts.Hooks.Health = said.note
			opts.URL = strings.Replace(server.URL(), "//", "//:wrong@", 1)
			c := start(t, opts)
			n := adaptertest.Start(t, c.Factory(), "/")
			n.Connect("s", "r")
			adaptertest.Eventually(t, "health says why", func() bool { return strings.HasPrefix(c.Health().Reason, "WRONGPASS") })
			began := len(said.all())
			for range 30 { // in which connections are tried, and seen through the address
				n.Adapter.Broadcast(t.Context(), event(`["e"]`), roomR, adapter.Flags{})
				time.Sleep(100 * time.Millisecond)
			}
			if list := said.all()[began:]; len(list) > 0 || !strings.HasPrefix(c.Health().Reason, "WRONGPASS") {
				t.Errorf("then health said %q", list)
			}
		})
	}
}

func TestReasonOfHealth(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	other := redistest.Start(t)
	other.Do("CONFIG", "SET", "requirepass", "secret")
	cluster := redistest.Cluster(t, 2)
	for name, tc := range map[string]struct {
		url  string
		want string
	}{
		"wrong password":     {strings.Replace(other.URL(), "//", "//:wrong@", 1), "WRONGPASS"},
		"no password":        {other.URL(), "NOAUTH"},
		"nobody listens":     {redistest.New(t).URL(), "connection refused"},
		"one of a cluster":   {cluster[0].URL(), "MOVED"},
		"another of cluster": {cluster[1].URL(), "MOVED"},
		"unknown host":       {"redis://nowhere.invalid:6379", "host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hooks := redisadapter.Hooks{Failed: func(err error) { t.Log(err) }}
			c := start(t, redisadapter.Options{URL: tc.url, Mode: redisadapter.Sharded, Hooks: hooks})
			n := adaptertest.Start(t, c.Factory(), "/")
			for i := range 20 { // of several slots
				n.Connect(string(rune('a'+i)), string(rune('A'+i)))
			}
			adaptertest.Eventually(t, "health says "+tc.want, func() bool {
				h := c.Health()
				return h.Degraded && strings.Contains(h.Reason, tc.want)
			})
			if reason := c.Health().Reason; strings.Contains(reason, "127.0.0.1") || strings.Contains(reason, server.Addr()) {
				t.Errorf("the reason has an address: %s", reason)
			}
		})
	}
}
