package adaptertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/socketio/adapter"
)

func broadcastReachesOthers(t *testing.T, c *cluster) {
	nodes := c.start(3)
	own := nodes[0].Connect("own", "r")
	s1, s2, s3 := nodes[1].Connect("s1", "r"), nodes[1].Connect("s2"), nodes[2].Connect("s3", "r")
	c.settle()
	c.broadcast(nodes[0], `["all",1]`, adapter.Selection{})
	for _, s := range []*Socket{s1, s2, s3} {
		if got := c.got(s, 1); !sameJSON(got[0].Data, `["all",1]`) {
			t.Errorf("%s got %v", s.id, got)
		}
	}
	// The answer takes the same way back, after anything the node sent to itself.
	c.broadcast(nodes[1], `["back"]`, adapter.Selection{})
	if got := c.got(own, 1); len(got) != 1 || !sameJSON(got[0].Data, `["back"]`) {
		t.Errorf("the node that broadcast got %v", got)
	}
}

func broadcastSelects(t *testing.T, c *cluster) {
	nodes := c.start(2)
	a := nodes[1].Connect("a-socket-id-000000ab", "r1", "r2", "end")
	b := nodes[1].Connect("b-socket-id-000000cd", "r1", "42", "end")
	d := nodes[1].Connect("d-socket-id-000000ef", "room:of twenty chars", "end")
	c.settle()
	ids := map[*Socket]string{a: "a", b: "b", d: "d"}
	for i, tc := range []struct {
		sel  adapter.Selection
		want string
	}{
		{rooms(), "abd"},
		{rooms("r1"), "ab"},
		{rooms("r1", "r2"), "ab"},
		{rooms("r2", "room:of twenty chars"), "ad"},
		{rooms("room:of twenty chars"), "d"},
		{rooms("42"), "b"},
		{rooms("nowhere"), ""},
		{rooms(a.id), "a"},
		{rooms(a.id, b.id), "ab"},
		{adapter.Selection{Except: []string{"r2"}}, "bd"},
		{adapter.Selection{Rooms: []string{"r1"}, Except: []string{a.id}}, "b"},
		{adapter.Selection{Rooms: []string{"end"}, Except: []string{"r2", "42"}}, "d"},
	} {
		before := map[*Socket]int{a: a.Len(), b: b.Len(), d: d.Len()}
		c.broadcast(nodes[0], fmt.Sprintf(`["select",%d]`, i), tc.sel)
		c.broadcast(nodes[0], `["end"]`, rooms("end", a.id)) // two rooms: the channel of several rooms
		c.broadcast(nodes[0], `["end"]`, rooms("end"))
		var who strings.Builder
		for _, s := range []*Socket{a, b, d} {
			got := c.gotAfter(s, before[s], `["end"]`, 2)
			switch len(got) {
			case 0:
			case 1:
				who.WriteString(ids[s])
			default:
				t.Errorf("%+v: %s got it %d times", tc.sel, s.id, len(got))
			}
		}
		if who.String() != tc.want {
			t.Errorf("%+v reached %q, want %q", tc.sel, who.String(), tc.want)
		}
	}
}

// gotAfter waits until the socket has received end n times, and returns the
// other events since the first ones.
func (c *cluster) gotAfter(s *Socket, first int, end string, n int) (other []Received) {
	c.t.Helper()
	c.eventually(s.id+" has the end", func() bool {
		ends := 0
		other = nil
		for _, r := range s.Received()[first:] {
			if sameJSON(r.Data, end) {
				ends++
			} else {
				other = append(other, r)
			}
		}
		return ends >= n
	})
	return other
}

func broadcastFlags(t *testing.T, c *cluster) {
	nodes := c.start(2)
	s := nodes[1].Connect("s", "r")
	c.settle()
	// An event for other kinds of servers must reach none of these nodes.
	if err := nodes[0].Adapter.Broadcast(c.ctx, event(`["foreign"]`), rooms("r"), adapter.Flags{Foreign: true}); err != nil {
		t.Fatal(err)
	}
	flags := []adapter.Flags{{}, {Volatile: true}, {Uncompressed: true}, {Volatile: true, Uncompressed: true}}
	for _, f := range flags {
		if err := nodes[0].Adapter.Broadcast(c.ctx, event(`["f"]`), rooms("r"), f); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range c.got(s, len(flags)) {
		if r.Flags != flags[i] || r.Data != `["f"]` {
			t.Errorf("flags %+v arrived as %+v", flags[i], r.Flags)
		}
	}
}

const binaryEvent = `["file",{"_placeholder":true,"num":1},{"deep":[{"b":{"_placeholder":true,"num":0}},null]},{"_placeholder":true,"num":1}]`

func broadcastBinary(t *testing.T, c *cluster) {
	nodes := c.start(2)
	s := nodes[1].Connect("s", "r")
	c.settle()
	big := strings.Repeat("\x00\xff{\"", 20000)
	c.broadcast(nodes[0], binaryEvent, rooms("r"), "\x01\x02", big)
	c.broadcast(nodes[0], `["empty",{"_placeholder":true,"num":0}]`, rooms("r"), "")
	got := c.got(s, 2)
	if want := []string{big, "\x01\x02", big}; !slices.Equal(inOrder(t, got[0]), want) {
		t.Errorf("got %.200s with %d attachments", got[0].Data, len(got[0].Attachments))
	}
	if !slices.Equal(inOrder(t, got[1]), []string{""}) {
		t.Errorf("got %v", got[1])
	}
}

// Numbers that differ from what JavaScript would print are equal in value.
func broadcastValues(t *testing.T, c *cluster) {
	nodes := c.start(2)
	s := nodes[1].Connect("s", "r")
	c.settle()
	values := []string{
		`["none"]`, `[""]`, `["",""]`, `["\u00e9\u0000\u001f\"\\/\ud83d\ude00 é😀"]`, `[7,7]`,
		`["a",null,true,false,[],{},[[]],{"a":{}}]`,
		`["n",0,1,-1,31,32,-32,-33,127,128,-128,-129,255,256,65535,65536,-32768,-32769,2147483647,-2147483648,-2147483649,4294967295,4294967296]`,
		`["n",9007199254740991,-9007199254740991,9007199254740993,9223372036854775807,-9223372036854775808,18446744073709551615,18446744073709551616]`,
		`["n",0.5,-0.25,1.5e10,1e21,1e300,-1e300,5e-324,1.7976931348623157e308,0.1,123456.789]`,
		`["o",{"a":1,"b":[1,2,{"c":"d"}],"":null,"` + strings.Repeat("k", 300) + `":"` + strings.Repeat("v", 70000) + `"}]`,
		`["o",{"type":"Buffer","data":[1,2]},{"_placeholder":false,"num":0},{"_placeholder":true}]`,
		`["l",` + strings.Repeat("1,", 70000) + `1]`,
		`["d",` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `]`,
	}
	for _, v := range values {
		c.broadcast(nodes[0], v, rooms("r"))
	}
	for i, r := range c.got(s, len(values)) {
		if !sameJSON(r.Data, values[i]) {
			t.Errorf("%.300s arrived as %.300s", values[i], r.Data)
		}
	}
}

func broadcastLarge(t *testing.T, c *cluster) {
	nodes := c.start(2)
	s := nodes[1].Connect("s", "r")
	c.settle()
	large := `["large","` + strings.Repeat("x", 4<<20) + `"]`
	c.broadcast(nodes[0], large, rooms("r"))
	if got := c.got(s, 1); got[0].Data != large {
		t.Errorf("%d bytes arrived as %d", len(large), len(got[0].Data))
	}
}

func broadcastOrder(t *testing.T, c *cluster) {
	const publishers, each = 4, 500
	nodes := c.start(3)
	sockets := []*Socket{nodes[1].Connect("s1", "r", "q"), nodes[2].Connect("s2", "r", "q")}
	c.settle()
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				c.broadcast(nodes[0], fmt.Sprintf(`["o",%d,%d]`, p, i), rooms("r"))
			}
		})
	}
	wg.Wait()
	for _, s := range sockets {
		var next [publishers]int
		for _, r := range c.got(s, publishers*each) {
			var p, i int
			if _, err := fmt.Sscanf(r.Data, `["o",%d,%d]`, &p, &i); err != nil {
				t.Fatal(err)
			}
			if i != next[p] {
				t.Fatalf("%s got number %d of publisher %d, want %d", s.id, i, p, next[p])
			}
			next[p]++
		}
		if s.Len() != publishers*each {
			t.Errorf("%s got %d events, want %d", s.id, s.Len(), publishers*each)
		}
	}
}

func roomsComeAndGo(t *testing.T, c *cluster) {
	nodes := c.start(2)
	s := nodes[1].Connect("s", "end")
	for i := range 20 {
		room := fmt.Sprint("room", i%3)
		s.Join(room)
		c.reach(nodes[0], nodes[1], room, fmt.Sprint(i))
		c.broadcast(nodes[0], `["in"]`, rooms(room))
		c.got(s, i+1)
		s.Leave(room)
		c.accepted(nodes[0], `["out"]`, rooms(room)) // before the room is used again
	}
	c.settle()
	for _, r := range s.Received() {
		if r.Data != `["in"]` {
			t.Errorf("got %s", r.Data)
		}
	}
}

func namespaces(t *testing.T, c *cluster) {
	factories := []adapter.Factory{c.node(), c.node()}
	var nodes [2][3]*Node
	names := []string{"/", "/chat", "/#"}
	for i, f := range factories {
		for j, name := range names {
			nodes[i][j] = Start(t, f, name)
		}
	}
	var sockets [3]*Socket
	for j, name := range names {
		c.nodes = []*Node{nodes[0][j], nodes[1][j]}
		c.eventually("two nodes of "+name, func() bool {
			n0, err0 := nodes[0][j].Adapter.ServerCount(c.ctx)
			n1, err1 := nodes[1][j].Adapter.ServerCount(c.ctx)
			return err0 == nil && err1 == nil && n0 == 2 && n1 == 2
		})
		sockets[j] = nodes[1][j].Connect("s", "r")
		c.settle()
	}
	for j, name := range names {
		for _, sel := range []adapter.Selection{{}, rooms("r")} {
			p := event(fmt.Sprintf(`[%q]`, name))
			p.Namespace = name
			if err := nodes[0][j].Adapter.Broadcast(c.ctx, p, sel, adapter.Flags{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for j, name := range names {
		for _, r := range c.got(sockets[j], 2) {
			if !sameJSON(r.Data, fmt.Sprintf(`[%q]`, name)) {
				t.Errorf("%s got %s", name, r.Data)
			}
		}
	}
}
