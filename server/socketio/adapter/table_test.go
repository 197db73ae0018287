package adapter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

type fakeMember struct {
	id string
	ms Membership[*fakeMember]
}

func (m *fakeMember) ID() string { return m.id }

func newFakeTable() *Table[*fakeMember] {
	return NewTable(func(m *fakeMember) *Membership[*fakeMember] { return &m.ms })
}

func (t *Table[M]) ids(sel Selection) []string {
	var ids []string
	t.Each(sel, func(m M) { ids = append(ids, m.ID()) })
	slices.Sort(ids)
	return ids
}

func TestTableSelects(t *testing.T) {
	table := newFakeTable()
	a, b, c := &fakeMember{id: "a"}, &fakeMember{id: "b"}, &fakeMember{id: "c"}
	for _, m := range []*fakeMember{a, b, c} {
		table.Add(m, nil)
	}
	table.Join(a, "r1", "r2")
	table.Join(b, "r1", "b")
	table.Join(c, "a") // somebody else's own room
	for _, tc := range []struct {
		rooms, except []string
		want          []string
	}{
		{nil, nil, []string{"a", "b", "c"}},
		{nil, []string{"r1"}, []string{"c"}},
		{[]string{"r1"}, nil, []string{"a", "b"}},
		{[]string{"r1", "r2"}, nil, []string{"a", "b"}},
		{[]string{"r1", "b", "c"}, []string{"r2"}, []string{"b", "c"}},
		{[]string{"a"}, nil, []string{"a", "c"}},
		{[]string{"a"}, []string{"a"}, nil},
		{[]string{"nowhere"}, nil, nil},
		{[]string{"r1"}, []string{"nowhere", "a"}, []string{"b"}},
	} {
		if got := table.ids(Selection{tc.rooms, tc.except}); !slices.Equal(got, tc.want) {
			t.Errorf("rooms %v except %v: got %v, want %v", tc.rooms, tc.except, got, tc.want)
		}
	}
}

func TestTableTellsOfRooms(t *testing.T) {
	var log []string
	table := newFakeTable()
	table.Created = func(room string) { log = append(log, "+"+room) }
	table.Deleted = func(room string) { log = append(log, "-"+room) }
	a, b := &fakeMember{id: "a"}, &fakeMember{id: "b"}
	table.Add(a, nil)
	table.Add(b, nil)
	table.Join(a, "x", "a", "x")
	table.Join(b, "x", "y")
	table.Leave(a, "x", "nowhere")
	table.Leave(a, "x")
	table.Join(a, "b") // somebody else's own room
	if got := table.Remove(b); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("b was in %v", got)
	}
	table.Leave(a, "b")
	if want := []string{"+a", "+b", "+x", "+y", "-x", "-y", "-b"}; !slices.Equal(log, want) {
		t.Errorf("got %v, want %v", log, want)
	}
	if _, ok := table.Join(b, "z"); ok || table.Has("z") {
		t.Error("a member that was removed could join")
	}
	if table.Len() != 1 || len(table.Rooms()) != 0 {
		t.Errorf("%d members and rooms %v are left, want 1 and none", table.Len(), table.Rooms())
	}
}

// A table behaves like a model made of maps, even when rooms grow from small to large.
func TestTableAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	table := newFakeTable()
	members := make([]*fakeMember, 40)
	model := map[string]map[string]bool{}
	exists := map[string]bool{} // by the calls of Created and Deleted
	table.Created = func(room string) {
		if exists[room] {
			t.Errorf("%s was created twice", room)
		}
		exists[room] = true
	}
	table.Deleted = func(room string) {
		if !exists[room] {
			t.Errorf("%s was deleted, which is not there", room)
		}
		delete(exists, room)
	}
	for i := range members {
		members[i] = &fakeMember{id: fmt.Sprint("m", i)}
		table.Add(members[i], nil)
	}
	for range 5000 {
		m, room := members[rng.IntN(len(members))], []string{"r0", "r1", "r2", "r3", "m1", "m2"}[rng.IntN(6)]
		if model[room] == nil {
			model[room] = map[string]bool{}
		}
		switch rng.IntN(8) {
		case 0, 1, 2, 3:
			table.Join(m, room)
			model[room][m.id] = true
		case 4, 5, 6:
			table.Leave(m, room)
			delete(model[room], m.id)
		default:
			table.Remove(m)
			for _, ids := range model {
				delete(ids, m.id)
			}
			if exists[m.id] != table.Has(m.id) {
				t.Fatalf("room %s exists by the hooks: %v; by Has: %v", m.id, exists[m.id], table.Has(m.id))
			}
			table.Add(m, nil)
		}
		if exists[room] != table.Has(room) {
			t.Fatalf("room %s exists by the hooks: %v; by Has: %v", room, exists[room], table.Has(room))
		}
		except := fmt.Sprint("r", rng.IntN(5))
		var want []string
		for _, m := range members {
			if (model[room][m.id] || room == m.id) && !model[except][m.id] {
				want = append(want, m.id)
			}
		}
		slices.Sort(want)
		if got := table.ids(Selection{[]string{room}, []string{except}}); !slices.Equal(got, want) {
			t.Fatalf("%s but not %s: got %v, want %v", room, except, got, want)
		}
		if table.In(m, room) != (model[room][m.id] || room == m.id) {
			t.Fatalf("In(%s, %s) is wrong", m.id, room)
		}
	}
	if table.Len() != len(members) {
		t.Errorf("%d members, want %d", table.Len(), len(members))
	}
}

func BenchmarkTableEach(b *testing.B) {
	table := newFakeTable()
	for i := range 1000 {
		m := &fakeMember{id: fmt.Sprint(i)}
		table.Add(m, nil)
		table.Join(m, "room")
	}
	sel := Selection{Rooms: []string{"room"}, Except: []string{"7"}}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		table.Each(sel, func(*fakeMember) { n++ })
	}
}

// One member more and less in a room of a thousand.
func BenchmarkTableJoinLeave(b *testing.B) {
	table := newFakeTable()
	var m *fakeMember
	for i := range 1000 {
		m = &fakeMember{id: fmt.Sprint(i)}
		table.Add(m, nil)
		table.Join(m, "room")
	}
	b.ReportAllocs()
	for b.Loop() {
		table.Leave(m, "room")
		table.Join(m, "room")
	}
}

// A held room exists for those who watch rooms, and for nobody else.
func TestTableHold(t *testing.T) {
	var log []string
	table := newFakeTable()
	table.Created = func(room string) { log = append(log, "+"+room) }
	table.Deleted = func(room string) { log = append(log, "-"+room) }
	m := &fakeMember{id: "m"}
	table.Add(m, nil)
	table.Hold("x")
	table.Hold("x")
	if table.Has("x") || len(table.Rooms()) != 0 {
		t.Error("a room without members is there")
	}
	table.Unhold("x")
	table.Join(m, "x")
	table.Unhold("x")
	if !table.Has("x") {
		t.Error("the room is not there")
	}
	table.Hold("x")
	table.Leave(m, "x")
	table.Unhold("x")
	if want := []string{"+m", "+x", "-x"}; !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
}
