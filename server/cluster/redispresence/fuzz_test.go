package redispresence

import (
	"testing"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

// script is a fuzz input, read as a sequence of choices.
type script []byte

func (s *script) next(n int) int {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b) % n
}

// FuzzPeers applies arbitrary messages of two nodes in arbitrary order. It checks
// that the entries held stay within the bound and are counted correctly, and that
// nothing is left when the nodes leave.
func FuzzPeers(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 0, 2, 0, 0, 0, 1, 1, 0})
	f.Add([]byte{1, 2, 5, 0, 2, 1, 0, 1, 0, 1, 2, 5, 1, 2, 1, 1, 1, 1})
	f.Add([]byte{0, 0, 3, 0, 0, 0, 0, 4, 0, 0, 0, 0})
	const most = 8
	users := []ident.ID{id("ana"), id("ben"), id("r")}
	devices := []string{"d0", "d1", "d2"}
	f.Fuzz(func(t *testing.T, in []byte) {
		now := time.Unix(0, 0)
		view := presence.NewView()
		ps := newPeers("self", view, newTimes(time.Second), most, now)
		for s := script(in); len(s) > 0; {
			m := message{from: []string{"a", "b"}[s.next(2)], kind: kind(s.next(int(kinds)))}
			m.seq, m.index, m.count = uint64(s.next(8)), uint64(s.next(3)), uint64(1+s.next(3))
			for range s.next(6) {
				m.ops = append(m.ops, op{code(s.next(codes)), devices[s.next(len(devices))], users[s.next(len(users))]})
			}
			if b := pack(m.ops).message(m.kind, m.from, m.seq, m.index, m.count); b != nil {
				var err error
				if m, err = decode(b); err != nil {
					continue // such a message does not reach peers
				}
			}
			ps.take(m, now)
			if s.next(4) == 0 {
				now = now.Add(time.Duration(s.next(12)) * time.Second)
				ps.tick(now)
			}
			held := 0
			for _, p := range ps.nodes {
				held += p.part.Size() + p.entries
			}
			if held != ps.held || ps.held > 2*most {
				t.Fatalf("%d entries held, %d counted, at most %d allowed", held, ps.held, 2*most)
			}
		}
		ps.take(message{from: "a", kind: bye}, now)
		ps.take(message{from: "b", kind: bye}, now)
		if users, rooms := view.Counts(); users+rooms+ps.held+len(ps.nodes)+view.Nodes() != 0 {
			t.Fatalf("%d users, %d rooms, %d entries of %d nodes left", users, rooms, ps.held, view.Nodes())
		}
	})
}
