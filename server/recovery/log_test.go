package recovery_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/puente-io/puente/server/recovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	log     = recovery.Log[string]
	session = recovery.Session[string]
)

func newLog(t *testing.T, o recovery.Options) (*log, *recovery.Node) {
	t.Helper()
	if o.Window == 0 {
		o.Window = time.Minute
	}
	n := recovery.NewNode(o)
	l := recovery.NewLog[string](n)
	t.Cleanup(func() {
		l.Close()
		n.Close()
		if got := n.Bytes(); got != 0 {
			t.Errorf("%d bytes are left", got)
		}
	})
	return l, n
}

// event is an event whose text begins with a number.
func event(sel recovery.Selection, n, bytes int) recovery.Event {
	return recovery.Event{Selection: sel, Flags: byte(n), Text: append(fmt.Append(nil, n, " "), make([]byte, bytes)...), Attachments: [][]byte{{byte(n)}, nil}}
}

// numbers returns the numbers of events.
func numbers(t *testing.T, events []recovery.Event) (list []int) {
	t.Helper()
	for _, e := range events {
		var n int
		if _, err := fmt.Sscan(string(e.Text), &n); err != nil || e.Flags != byte(n) || len(e.Attachments) != 2 || e.Attachments[0][0] != byte(n) || len(e.Attachments[1]) != 0 {
			t.Fatalf("event %+v", e)
		}
		list = append(list, n)
	}
	return list
}

func locked(l *log, f func()) {
	l.Lock()
	defer l.Unlock()
	f()
}

// What a session has missed is what a client that never left would have received, whatever
// happens before: that is compared with a list that each client keeps by itself. If the log
// is too small it says so instead.
func TestMissed(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		bytes := int64(1 << 40)
		if seed%2 == 1 {
			bytes = 100_000
		}
		l, _ := newLog(t, recovery.Options{MaxBytes: bytes})
		type client struct {
			*session
			rooms    map[string]bool
			received []int
			offsets  []string // after each event
			stored   bool
		}
		var clients []*client
		rooms := []string{"a", "b", "c", "d"}
		complete, refused := 0, 0
		check := func(c *client) {
			from := r.IntN(len(c.offsets))
			missed, err := l.Missed(c.session, c.offsets[from], 1<<30)
			switch {
			case errors.Is(err, recovery.ErrIncomplete) && seed%2 == 1:
				refused++
			case err != nil, !slices.Equal(numbers(t, missed), c.received[from:]):
				t.Fatalf("seed %d: missed %v, %v; want %v", seed, missed, err, c.received[from:])
			default:
				complete++
			}
		}
		for step := range 300 {
			locked(l, func() {
				var c *client
				if len(clients) > 0 {
					c = clients[r.IntN(len(clients))]
				}
				room := rooms[r.IntN(len(rooms))]
				switch k := r.IntN(10); {
				case c == nil || k == 0 && len(clients) < 5:
					c = &client{session: &session{ID: fmt.Sprint("id", step), PID: fmt.Sprint("pid", step)}, rooms: map[string]bool{}}
					c.rooms[c.ID] = true
					l.Begin(c.session)
					c.offsets = []string{""}
					clients = append(clients, c)
				case k == 1 && !c.rooms[room]:
					l.Join(c.session, room)
					c.rooms[room] = true
				case k == 2 && c.rooms[room]:
					l.Leave(c.session, room)
					delete(c.rooms, room)
				case k == 3 && !c.stored:
					c.stored = l.Store(c.session, false)
				case k == 4 && c.stored:
					if s, err := l.Claim(c.PID); err != nil || s != c.session {
						t.Fatalf("seed %d: Claim: %v", seed, err)
					}
					check(c)
					if r.IntN(2) == 0 {
						l.Return(c.session)
					} else if c.stored = false; !l.Resume(c.session) {
						t.Fatalf("seed %d: Resume", seed)
					}
				default:
					sel := recovery.Selection{}
					for range r.IntN(3) {
						sel.Rooms = append(sel.Rooms, rooms[r.IntN(len(rooms))])
					}
					if r.IntN(3) == 0 {
						sel.Rooms = append(sel.Rooms, c.ID)
					}
					if r.IntN(3) == 0 {
						sel.Except = append(sel.Except, rooms[r.IntN(len(rooms))])
					}
					e := event(sel, step, r.IntN(5000))
					if len(sel.Rooms) == 1 && sel.Rooms[0] == c.ID && len(sel.Except) == 0 {
						l.AppendTo(c.session, e)
					} else {
						l.Append(e)
					}
					offset := string(l.AppendOffset(nil, l.Last()))
					for _, c := range clients {
						in := func(room string) bool { return c.rooms[room] }
						if (len(sel.Rooms) == 0 || slices.ContainsFunc(sel.Rooms, in)) && !slices.ContainsFunc(sel.Except, in) {
							c.received = append(c.received, step)
							c.offsets = append(c.offsets, offset)
						}
					}
				}
			})
		}
		locked(l, func() {
			for _, c := range clients {
				check(c)
			}
		})
		if seed%2 == 0 && refused > 0 || complete == 0 && seed%2 == 0 {
			t.Errorf("seed %d: %d complete, %d refused", seed, complete, refused)
		}
	}
}

// A log has at most its bytes, whatever is sent; what is too old goes without traffic, and so do
// sessions and the marks of what was lost.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 1 << 20
		l, n := newLog(t, recovery.Options{MaxBytes: most, Silence: time.Minute})
		var expired []string
		l.Expired = func(s *session) { expired = append(expired, s.ID) }
		s, away := &session{ID: "s", PID: "p"}, &session{ID: "t", PID: "q"}
		locked(l, func() {
			l.Begin(s)
			l.Begin(away)
			l.Join(away, "r")
			if !l.Store(away, false) {
				t.Error("not stored")
			}
		})
		for i := range 100_000 {
			locked(l, func() { l.Append(event(recovery.Selection{Rooms: []string{fmt.Sprint("room ", i%100)}}, i, 100)) })
			if got := n.Bytes(); got > most {
				t.Fatalf("%d bytes after %d events", got, i)
			}
		}
		locked(l, func() {
			if missed, err := l.Missed(away, "", 1<<30); err != nil || len(missed) > 0 {
				t.Errorf("a session that has missed nothing: %v, %v", missed, err)
			}
			if !l.Awaited([]string{"r"}) || l.Awaited([]string{"s"}) {
				t.Error("who waits for what")
			}
		})
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if !slices.Equal(expired, []string{"t"}) {
			t.Errorf("expired: %q", expired)
		}
		time.Sleep(time.Minute)
		if got := n.Bytes(); got > 1000 { // the own room of the session that is connected
			t.Errorf("%d bytes are kept of old events", got)
		}
	})
}

// A room in which an event was lost is remembered for long enough, in bounded memory: if
// there are too many such rooms, all sessions that were there before are refused.
func TestLostIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLog(t, recovery.Options{MaxBytes: 100_000})
		old, young := &session{ID: "s", PID: "p"}, &session{ID: "t", PID: "q"}
		locked(l, func() { l.Begin(old) })
		for i := range 100_000 {
			locked(l, func() { l.Append(event(recovery.Selection{Rooms: []string{fmt.Sprint("room ", i)}}, i, 100)) })
		}
		time.Sleep(2 * time.Second)
		locked(l, func() {
			l.Begin(young)
			if _, err := l.Missed(old, "", 1<<30); err != recovery.ErrIncomplete {
				t.Errorf("a session from before: %v", err)
			}
			if _, err := l.Missed(young, "", 1<<30); err != nil {
				t.Errorf("one from afterwards: %v", err)
			}
		})
	})
}

// Of the rooms that a session has left it remembers some; if it forgets one in which
// something may have been missed, it is not recovered from before.
func TestManyRoomsLeft(t *testing.T) {
	l, _ := newLog(t, recovery.Options{MaxBytes: 1 << 40})
	s := &session{ID: "s", PID: "p"}
	locked(l, func() {
		l.Begin(s)
		first := string(l.AppendOffset(nil, l.Last()))
		for i := range 3000 {
			room := fmt.Sprint("room ", i)
			l.Join(s, room)
			l.Append(event(recovery.Selection{Rooms: []string{room}}, i, 1))
			l.Leave(s, room)
		}
		if _, err := l.Missed(s, first, 1<<30); err != recovery.ErrIncomplete {
			t.Errorf("from the beginning: %v", err)
		}
		if missed, err := l.Missed(s, string(l.AppendOffset(nil, l.Last()-10)), 1<<30); err != nil || len(missed) != 10 {
			t.Errorf("the last ten: %v, %v", missed, err)
		}
	})
}

// An offset is one that a log has made, or it is refused; that of another log is that of a
// client that has received nothing from this one.
func TestOffsets(t *testing.T) {
	l, _ := newLog(t, recovery.Options{MaxBytes: 1 << 40})
	other, _ := newLog(t, recovery.Options{MaxBytes: 1 << 40})
	s := &session{ID: "s", PID: "p"}
	locked(l, func() {
		l.Begin(s)
		l.Append(event(recovery.Selection{}, 1, 1))
		l.Append(event(recovery.Selection{}, 2, 1))
		prefix := string(l.AppendOffset(nil, 0))
		prefix = prefix[:len(prefix)-1]
		for _, offset := range []string{"x", ".", prefix, prefix + "3", prefix + "01", prefix + "-1", prefix + "A", prefix + "1 ", prefix + "zzzzzzzzzzzzzz", "Q8XGcac", "1795854398264-3", prefix + "1.1"} {
			if _, err := l.Missed(s, offset, 1<<30); err != recovery.ErrOffset {
				t.Errorf("%q: %v", offset, err)
			}
		}
		for offset, want := range map[string]int{"": 2, prefix + "0": 2, prefix + "1": 1, prefix + "2": 0, string(other.AppendOffset(nil, 99)): 2} {
			if missed, err := l.Missed(s, offset, 1<<30); err != nil || len(missed) != want {
				t.Errorf("%q: %v, %v", offset, missed, err)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	n := recovery.NewNode(recovery.Options{Window: time.Minute, MaxBytes: 64 << 20})
	l := recovery.NewLog[string](n)
	defer n.Close()
	defer l.Close()
	e := event(recovery.Selection{Rooms: []string{"r"}}, 1, 100)
	b.ReportAllocs()
	for b.Loop() {
		l.Lock()
		l.Append(e)
		l.Unlock()
	}
}

// A recovery of 100 missed events, of a session in 100 rooms, among 100,000 events.
func BenchmarkMissed(b *testing.B) {
	n := recovery.NewNode(recovery.Options{Window: time.Minute, MaxBytes: 1 << 40})
	l := recovery.NewLog[string](n)
	defer n.Close()
	defer l.Close()
	s := &session{ID: "s", PID: "p"}
	l.Lock()
	defer l.Unlock()
	l.Begin(s)
	for i := range 100 {
		l.Join(s, fmt.Sprint("room ", i))
	}
	for i := range 100_000 {
		l.Append(event(recovery.Selection{Rooms: []string{fmt.Sprint("room ", i%100_000)}}, i, 100))
	}
	b.ReportAllocs()
	for b.Loop() {
		if missed, err := l.Missed(s, "", 1<<30); err != nil || len(missed) != 100 {
			b.Fatal(len(missed), err)
		}
	}
}

// What a recovery costs depends on what was missed, not on how often the client has joined
// and left a room before: the lock is held meanwhile.
func TestCostOfMissed(t *testing.T) {
	n := recovery.NewNode(recovery.Options{Window: time.Minute, MaxBytes: 64 << 20})
	defer n.Close()
	l := recovery.NewLog[int](n)
	s := &recovery.Session[int]{ID: "s", PID: "p"}
	l.Lock()
	defer l.Unlock()
	l.Begin(s)
	for range 500 {
		l.Join(s, "r")
		l.Append(recovery.Event{Selection: recovery.Selection{Rooms: []string{"r"}}, Text: []byte("e")})
		l.Leave(s, "r")
	}
	for range 2000 {
		l.Append(recovery.Event{Selection: recovery.Selection{Rooms: []string{"r"}}, Text: []byte("e")})
	}
	if allocs := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if missed, err := l.Missed(s, "", 1<<20); err != nil || len(missed) != 500 {
				b.Fatalf("%d events, %v", len(missed), err)
			}
		}
	}).AllocedBytesPerOp(); allocs > 1<<20 {
		t.Errorf("%d bytes allocated", allocs)
	}
	if _, err := l.Missed(s, "", 400); err != recovery.ErrIncomplete {
		t.Errorf("500 bytes where 400 are allowed: %v", err)
	}
}

// Clients that come and go do not push out the events of others.
func TestSessionsLeaveRoomForEvents(t *testing.T) {
	n := recovery.NewNode(recovery.Options{Window: time.Minute, MaxBytes: 1 << 20})
	defer n.Close()
	l := recovery.NewLog[int](n)
	locked := func(f func()) { l.Lock(); f(); l.Unlock() }
	session := func(id string) *recovery.Session[int] { return &recovery.Session[int]{ID: id, PID: id} }
	victim := session("victim")
	locked(func() {
		l.Begin(victim)
		l.Append(recovery.Event{Selection: recovery.Selection{Rooms: []string{"victim"}}, Text: []byte("e")})
		l.Store(victim, false)
	})
	refused := 0
	for i := range 2000 {
		locked(func() {
			s := session(strconv.Itoa(i))
			if l.Begin(s); !l.Store(s, i < 1000) {
				refused++
			}
		})
	}
	locked(func() {
		if missed, err := l.Missed(victim, "", 1<<20); err != nil || len(missed) != 1 || refused < 1000 {
			t.Errorf("%d events, %v, %d refused", len(missed), err, refused)
		}
	})
}
