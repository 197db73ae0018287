package adaptertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// soon is the deadline of a request that cannot complete, long enough for the answers
// that do come, unless the machine is busy: untilAnswered then gives it more time.
const soon = 2 * time.Second

// untilAnswered makes a request that cannot complete with longer and longer deadlines,
// until it returns true: the answers that do come have come.
func untilAnswered(c *cluster, request func(ctx context.Context, d time.Duration) bool) {
	for d := soon; ; d *= 2 {
		ctx, cancel := context.WithTimeout(c.ctx, d)
		done := request(ctx, d)
		cancel()
		if done || d > patience/2 {
			return
		}
	}
}

func answer(list string, attachments ...string) *adapter.Args {
	a := &adapter.Args{List: []byte(list)}
	for _, b := range attachments {
		a.Attachments = append(a.Attachments, []byte(b))
	}
	return a
}

// texts returns the answers, sorted by their text.
func texts(answers []adapter.Args) []string {
	var list []string
	for _, a := range answers {
		text := string(a.List)
		for _, b := range a.Attachments {
			text += "|" + string(b)
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

func ack(t *testing.T, c *cluster) {
	nodes := c.start(3)
	nodes[0].Connect("own", "r").Answer = answer(`"own"`)
	nodes[1].Connect("s1", "r").Answer = answer(`{"a":[1]}`)
	nodes[1].Connect("s2", "q").Answer = answer(`"not asked"`)
	nodes[2].Connect("s3", "r").Answer = answer(`{"_placeholder":true,"num":0}`, "\x00\x01")
	nodes[2].Connect("s4", "r").Answer = answer(``)
	c.settle()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	answers, clients, err := nodes[0].Adapter.BroadcastWithAck(ctx, event(binaryEvent, "x", "y"), rooms("r"), adapter.Flags{Timeout: patience})
	if err != nil || clients != 3 {
		t.Errorf("%d clients, error %v; want 3 and none", clients, err)
	}
	want := []string{"", `{"_placeholder":true,"num":0}|` + "\x00\x01", `{"a":[1]}`}
	if got := texts(answers); !slices.Equal(got, want) {
		t.Errorf("answers %q, want %q", got, want)
	}
	if n := nodes[0].sockets(adapter.Selection{})[0].Len(); n != 0 {
		t.Errorf("the node that asked got its own event %d times", n)
	}
	for _, s := range nodes[2].sockets(adapter.Selection{}) {
		got := s.Received()
		if len(got) != 1 || !slices.Equal(inOrder(t, got[0]), []string{"y", "x", "y"}) {
			t.Errorf("%s got %v", s.id, got)
		}
	}
}

// inOrder returns an event's attachments in the order of their placeholders.
func inOrder(t *testing.T, r Received) (list []string) {
	packet.Placeholders([]byte(r.Data), func(_, _, num int) {
		if num < 0 || num >= len(r.Attachments) {
			t.Errorf("placeholder %d of %d attachments in %.200s", num, len(r.Attachments), r.Data)
			return
		}
		list = append(list, r.Attachments[num])
	})
	return list
}

func ackNobody(t *testing.T, c *cluster) {
	nodes := c.start(2)
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	answers, clients, err := nodes[0].Adapter.BroadcastWithAck(ctx, event(`["e"]`), adapter.Selection{}, adapter.Flags{Timeout: patience})
	if len(answers) != 0 || clients != 0 || err != nil {
		t.Errorf("got %v, %d, %v; want nothing and no error", answers, clients, err)
	}
}

func ackTimeout(t *testing.T, c *cluster) {
	nodes := c.start(2)
	nodes[1].Connect("answers").Answer = answer(`1`)
	nodes[1].Connect("silent")
	var answers []adapter.Args
	var clients int
	var err error
	untilAnswered(c, func(ctx context.Context, d time.Duration) bool {
		answers, clients, err = nodes[0].Adapter.BroadcastWithAck(ctx, event(`["e"]`), adapter.Selection{}, adapter.Flags{Timeout: d})
		return err == nil || len(answers) > 0 && clients > 0
	})
	if !errors.Is(err, adapter.ErrTimeout) || clients != 2 || !slices.Equal(texts(answers), []string{"1"}) {
		t.Errorf("got %q, %d, %v; want the one answer of two, and ErrTimeout", texts(answers), clients, err)
	}
}

func fetchSockets(t *testing.T, c *cluster) {
	nodes := c.start(3)
	nodes[0].Connect("own", "r")
	s1, s2 := nodes[1].Connect("s1", "r", "q"), nodes[2].Connect("s2", "r")
	nodes[2].Connect("s3")
	fetch := func(sel adapter.Selection) []adapter.SocketInfo {
		t.Helper()
		infos, err := nodes[0].Adapter.FetchSockets(c.ctx, sel)
		if err != nil {
			t.Errorf("FetchSockets: %v", err)
		}
		slices.SortFunc(infos, func(a, b adapter.SocketInfo) int { return strings.Compare(a.ID, b.ID) })
		return infos
	}
	infos := fetch(rooms("r"))
	if len(infos) != 2 {
		t.Fatalf("got %d sockets, want 2", len(infos))
	}
	for i, s := range []*Socket{s1, s2} {
		handshake, data := s.describe()
		slices.Sort(infos[i].Rooms)
		if infos[i].ID != s.id || !slices.Equal(infos[i].Rooms, s.Rooms()) ||
			!sameJSON(string(infos[i].Handshake), string(handshake)) || !sameJSON(string(infos[i].Data), string(data)) {
			t.Errorf("%s is described as %s %v %s %s", s.id, infos[i].ID, infos[i].Rooms, infos[i].Handshake, infos[i].Data)
		}
	}
	if got := fetch(adapter.Selection{}); len(got) != 3 {
		t.Errorf("got %d sockets, want 3", len(got))
	}
	if got := fetch(adapter.Selection{Rooms: []string{"r"}, Except: []string{"q"}}); len(got) != 1 || got[0].ID != "s2" {
		t.Errorf("got %v, want s2", got)
	}
	if got := fetch(rooms("s1")); len(got) != 1 || got[0].ID != "s1" {
		t.Errorf("got %v, want s1", got)
	}
}

func joinLeave(t *testing.T, c *cluster) {
	nodes := c.start(2)
	own := nodes[0].Connect("own", "r")
	a, b := nodes[1].Connect("a", "r"), nodes[1].Connect("b", "q")
	has := func(s *Socket, want ...string) func() bool {
		return func() bool { return slices.Equal(s.Rooms(), want) }
	}
	if err := nodes[0].Adapter.Join(c.ctx, rooms("r"), []string{"new", "newer"}); err != nil {
		t.Fatal(err)
	}
	c.eventually("a has joined", has(a, "a", "new", "newer", "r"))
	c.reach(nodes[0], nodes[1], "newer", "joined")
	if err := nodes[0].Adapter.Leave(c.ctx, adapter.Selection{Except: []string{"q"}}, []string{"new", "r"}); err != nil {
		t.Fatal(err)
	}
	c.eventually("a has left", has(a, "a", "newer"))
	if !has(own, "own", "r")() || !has(b, "b", "q")() {
		t.Errorf("own is in %v, b in %v", own.Rooms(), b.Rooms())
	}
}

func disconnect(t *testing.T, c *cluster) {
	nodes := c.start(2)
	own := nodes[0].Connect("own", "r")
	a, b, d := nodes[1].Connect("a", "r"), nodes[1].Connect("b", "q"), nodes[1].Connect("d")
	if err := nodes[0].Adapter.Disconnect(c.ctx, rooms("r"), false); err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].Adapter.Disconnect(c.ctx, rooms("q"), true); err != nil {
		t.Fatal(err)
	}
	c.eventually("a and b are disconnected", func() bool { return a.Disconnected() == "socket" && b.Disconnected() == "connection" })
	if own.Disconnected() != "" || d.Disconnected() != "" {
		t.Error("sockets that were not selected were disconnected")
	}
}

func serverSideEmit(t *testing.T, c *cluster) {
	nodes := c.start(3)
	got := make(chan string, 16)
	for i, n := range nodes {
		n.ServerSide = func(event string, args adapter.Args, reply func(adapter.Args)) {
			if reply != nil {
				t.Error("reply is not nil, but no answer was requested")
			}
			got <- string(rune('0'+i)) + " " + event + " " + string(args.List) + " " + string(slices.Concat(args.Attachments...))
		}
	}
	if err := nodes[0].Adapter.ServerSideEmit(c.ctx, "hey \"you\"", *answer(`1,"x"`)); err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].Adapter.ServerSideEmit(c.ctx, "bin", *answer(`{"_placeholder":true,"num":0}`, "\x00\x80")); err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].Adapter.ServerSideEmit(c.ctx, "none", adapter.Args{}); err != nil {
		t.Fatal(err)
	}
	var all []string
	for range 6 {
		select {
		case s := <-got:
			all = append(all, s)
		case <-time.After(patience):
			t.Fatalf("got %q", all)
		}
	}
	slices.Sort(all)
	bin := ` bin {"_placeholder":true,"num":0} ` + "\x00\x80"
	want := []string{"1" + bin, `1 hey "you" 1,"x" `, "1 none  ", "2" + bin, `2 hey "you" 1,"x" `, "2 none  "}
	if !slices.Equal(all, want) {
		t.Errorf("got  %q\nwant %q", all, want)
	}
}

func serverSideEmitWithAck(t *testing.T, c *cluster) {
	nodes := c.start(3)
	nodes[0].ServerSide = func(string, adapter.Args, func(adapter.Args)) { t.Error("the node that asked got its own request") }
	nodes[1].ServerSide = func(_ string, args adapter.Args, reply func(adapter.Args)) {
		reply(args)
		reply(*answer(`"twice"`))
	}
	nodes[2].ServerSide = func(_ string, _ adapter.Args, reply func(adapter.Args)) {
		reply(*answer(`{"b":{"_placeholder":true,"num":0}}`, "\xff"))
	}
	answers, err := nodes[0].Adapter.ServerSideEmitWithAck(c.ctx, "sum", *answer(`{"n":1.5}`))
	if err != nil {
		t.Error(err)
	}
	if got, want := texts(answers), []string{`{"b":{"_placeholder":true,"num":0}}|` + "\xff", `{"n":1.5}`}; !slices.Equal(got, want) {
		t.Errorf("answers %q, want %q", got, want)
	}
}

func serverSideEmitTimeout(t *testing.T, c *cluster) {
	nodes := c.start(3)
	nodes[1].ServerSide = func(_ string, _ adapter.Args, reply func(adapter.Args)) { reply(*answer(`1`)) }
	var answers []adapter.Args
	var err error
	untilAnswered(c, func(ctx context.Context, _ time.Duration) bool {
		answers, err = nodes[0].Adapter.ServerSideEmitWithAck(ctx, "e", adapter.Args{})
		return err == nil || len(answers) > 0
	})
	if !errors.Is(err, adapter.ErrTimeout) || !slices.Equal(texts(answers), []string{"1"}) {
		t.Errorf("got %q, %v; want the one answer, and ErrTimeout", texts(answers), err)
	}
}

func allRooms(t *testing.T, c *cluster) {
	nodes := c.start(3)
	nodes[0].Connect("own-socket-000000000", "only here", "r")
	nodes[1].Connect("s1-socket-0000000000", "r", "q")
	nodes[2].Connect("s2-socket-0000000000", "r", "ü#*", "42")
	got, err := nodes[0].Adapter.AllRooms(c.ctx)
	slices.Sort(got)
	if want := []string{"42", "q", "r", "ü#*"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
