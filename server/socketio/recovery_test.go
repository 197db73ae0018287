package socketio_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/socketiotest"
	"github.com/puente-io/puente/server/waittest"
)

// visitor is a client that knows recovery, as the official one does: it keeps its secret
// and the last argument of the last event if that is a text.
type visitor struct {
	t            testing.TB
	srv          *socketiotest.Server
	conn         *engineiotest.Conn
	sid          string
	pid, offset  string
	events       []string // since it connected last, without offsets
	beforeAnswer int      // how many of them came before the answer to CONNECT
}

func (v *visitor) connect(auth string) {
	v.t.Helper()
	v.conn = engineiotest.Dial(v.t, v.srv.URL+"/socket.io/", engineiotest.Options{})
	v.connectAgain(auth)
}

func (v *visitor) connectAgain(auth string) {
	v.t.Helper()
	v.events = nil
	if v.pid != "" {
		auth = `"pid":"` + v.pid + `"` + auth
		if v.offset != "" {
			auth += `,"offset":"` + v.offset + `"`
		}
	}
	v.conn.SendText("0{" + strings.TrimPrefix(auth, ",") + "}")
	for {
		text := v.conn.Text()
		answer, ok := strings.CutPrefix(text, "0")
		if !ok {
			v.event(text)
			continue
		}
		var ids struct{ SID, PID string }
		if err := json.Unmarshal([]byte(answer), &ids); err != nil || ids.SID == "" {
			v.t.Fatalf("the answer is %s", text)
		}
		v.sid, v.pid, v.beforeAnswer = ids.SID, ids.PID, len(v.events)
		return
	}
}

func (v *visitor) event(text string) {
	v.t.Helper()
	list, ok := strings.CutPrefix(text, "2")
	var args []any
	if err := json.Unmarshal([]byte(list), &args); !ok || err != nil {
		v.t.Fatalf("no event: %s", text)
	}
	if offset, ok := args[len(args)-1].(string); ok && len(args) > 1 {
		v.offset = offset
		args = args[:len(args)-1]
	}
	v.events = append(v.events, fmt.Sprint(args...))
}

// next reads n events.
func (v *visitor) next(n int) {
	v.t.Helper()
	for range n {
		v.event(v.conn.Text())
	}
}

// until reads until an event of this name.
func (v *visitor) until(name string) {
	v.t.Helper()
	for len(v.events) == 0 || v.events[len(v.events)-1] != name {
		v.next(1)
	}
}

// drop breaks the connection, and waits until the server knows.
func (v *visitor) drop() {
	v.t.Helper()
	s := v.socket()
	v.conn.Break()
	waittest.Until(v.t, "the server knows that the connection is lost", func() bool { return !s.Connected() && s.Namespace().Socket(v.sid) == nil })
}

func (v *visitor) socket() *socketio.Socket {
	v.t.Helper()
	s := v.srv.IO.Namespace("/").Socket(v.sid)
	if s == nil {
		v.t.Fatal("the server does not know the socket")
	}
	return s
}

func recovering(t testing.TB, opts socketio.Options) (*visitor, *socketio.Namespace) {
	if opts.Recovery.Window == 0 {
		opts.Recovery.Window = time.Minute
	}
	srv := serve(t, opts)
	v := &visitor{t: t, srv: srv}
	v.connect("")
	return v, srv.IO.Namespace("/")
}

func emit(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// A client that was away has the same id, rooms, data and events as one that was not, and
// its socket's handlers see that.
func TestRecovery(t *testing.T) {
	ctx := context.Background()
	v, ns := recovering(t, socketio.Options{})
	recovered := make(chan bool, 9)
	ns.OnConnect(func(_ context.Context, s *socketio.Socket) error { recovered <- s.Recovered(); return nil })
	s := v.socket()
	emit(t, s.Join(ctx, "r"))
	emit(t, s.SetData(map[string]int{"n": 1}))
	emit(t, ns.To("r").Emit(ctx, "first", 1))
	v.next(1)
	sid, pid := v.sid, v.pid
	for round := range 2 { // twice in a row
		v.drop()
		for i := range 100 {
			emit(t, ns.To("r").Emit(ctx, "to the room", i))
			emit(t, ns.To("another").Emit(ctx, "to another room", i))
		}
		emit(t, ns.To("r").Except(sid).Emit(ctx, "not to it"))
		emit(t, ns.All().Emit(ctx, "to all"))
		emit(t, ns.To(sid).Emit(ctx, "to it"))
		emit(t, s.Emit(ctx, "by its socket"))
		emit(t, ns.To("r").Volatile().Emit(ctx, "volatile"))
		v.connect("")
		if v.sid != sid || v.pid != pid {
			t.Fatalf("round %d: it is another socket", round)
		}
		want := []string{}
		for i := range 100 {
			want = append(want, fmt.Sprint("to the room", i))
		}
		want = append(want, "to all", "to it", "by its socket")
		if !slices.Equal(v.events, want) || v.beforeAnswer != len(want) {
			t.Errorf("round %d: it has got %q, %d of them before the answer", round, v.events, v.beforeAnswer)
		}
		s = v.socket()
		if !s.Recovered() || !receive(t, recovered, "OnConnect") {
			t.Error("the socket does not know that it is recovered")
		}
		if !s.In("r") || s.In("another") || fmt.Sprint(s.Data()) != "map[n:1]" {
			t.Errorf("rooms %q, data %v", s.Rooms(), s.Data())
		}
		emit(t, ns.To("r").Emit(ctx, "afterwards"))
		v.until("afterwards")
	}
	if c := v.srv.IO.RecoveryCounts(); c.Recovered != 2 || c.Unknown+c.Busy+c.Offset+c.Incomplete+c.Expired != 0 {
		t.Errorf("counts %+v", c)
	}
}

// What the complaints about Node's recovery say, by the number of the issue.
func TestRecoveryComplaints(t *testing.T) {
	ctx := context.Background()
	t.Run("4888: a client that has received nothing yet", func(t *testing.T) {
		v, ns := recovering(t, socketio.Options{})
		sid := v.sid
		v.drop()
		emit(t, ns.Emit(ctx, "missed"))
		v.connect("")
		if v.sid != sid || !slices.Equal(v.events, []string{"missed"}) {
			t.Errorf("recovered: %v, events %q", v.sid == sid, v.events)
		}
	})
	t.Run("5282: its last event is not kept any more, and it has missed nothing", func(t *testing.T) {
		v, ns := recovering(t, socketio.Options{Recovery: socketio.RecoveryOptions{MaxBytes: 20_000}})
		emit(t, ns.To(v.sid).Emit(ctx, "first"))
		v.next(1)
		sid := v.sid
		other := &visitor{t: t, srv: v.srv}
		other.connect("")
		v.drop()
		for i := range 500 {
			emit(t, ns.To(other.sid).Emit(ctx, "to the other", i))
		}
		v.connect("")
		if v.sid != sid || len(v.events) > 0 {
			t.Errorf("recovered: %v, events %q", v.sid == sid, v.events)
		}
	})
	t.Run("4880: the old connection is not known to be lost", func(t *testing.T) {
		v, ns := recovering(t, socketio.Options{})
		reasons := disconnects(ns.Handlers)
		old, sid := v.conn, v.sid
		emit(t, ns.Emit(ctx, "first"))
		v.next(1)
		young := *v
		young.connect("")
		if young.sid == sid {
			t.Error("a socket that was connected a moment ago was taken over")
		}
		time.Sleep(1100 * time.Millisecond) // a bound of the server, not of the machine
		emit(t, ns.To(sid).Emit(ctx, "missed"))
		again := *v
		again.connect("")
		if again.sid != sid || !slices.Equal(again.events, []string{"missed"}) {
			t.Errorf("recovered: %v, events %q", again.sid == sid, again.events)
		}
		if r := receive(t, reasons, "the disconnect"); r != socketio.ReasonTakenOver {
			t.Errorf("the old socket disconnected because of %q", r)
		}
		<-old.Ended()
		if n := ns.Count(); n != 2 {
			t.Errorf("%d sockets, want 2", n)
		}
	})
	t.Run("5539: a volatile event that ends with a text", func(t *testing.T) {
		v, ns := recovering(t, socketio.Options{})
		sid := v.sid
		emit(t, ns.Emit(ctx, "first"))
		emit(t, ns.All().Volatile().Emit(ctx, "volatile", "a text"))
		v.until("volatilea text")
		v.drop()
		emit(t, ns.Emit(ctx, "missed"))
		v.connect("")
		if v.sid != sid || !slices.Equal(v.events, []string{"missed"}) {
			t.Errorf("recovered: %v, events %q", v.sid == sid, v.events)
		}
	})
	t.Run("5250: the program learns that a client does not come back", func(t *testing.T) {
		gone := make(chan string, 1)
		v, ns := recovering(t, socketio.Options{
			Recovery: socketio.RecoveryOptions{Window: 50 * time.Millisecond},
		})
		ns.OnSessionExpired(func(_ context.Context, e socketio.ExpiredSession) { gone <- e.ID + fmt.Sprint(e.Rooms, e.Ended) })
		emit(t, v.socket().Join(ctx, "r"))
		v.drop()
		if got := receive(t, gone, "the end of the window"); got != v.sid+"[r] false" {
			t.Errorf("got %q", got)
		}
		if ns.HasRoom("r") || v.srv.IO.RecoveryCounts().Expired != 1 {
			t.Error("its room is still there, or it is not counted")
		}
		sid := v.sid
		if v.connect(""); v.sid == sid {
			t.Error("it was recovered nevertheless")
		}
	})
}

// What is lost is lost as a whole: a client that cannot get all that it missed gets a new
// socket.
func TestRecoveryIsCompleteOrRefused(t *testing.T) {
	ctx := context.Background()
	for name, emitTo := range map[string]func(ns *socketio.Namespace, sid string) socketio.Operator{
		"to all":      func(ns *socketio.Namespace, _ string) socketio.Operator { return ns.All() },
		"to its room": func(ns *socketio.Namespace, _ string) socketio.Operator { return ns.To("r") },
		"to itself":   func(ns *socketio.Namespace, sid string) socketio.Operator { return ns.To(sid) },
	} {
		t.Run(name, func(t *testing.T) {
			v, ns := recovering(t, socketio.Options{Recovery: socketio.RecoveryOptions{MaxBytes: 10_000}})
			emit(t, v.socket().Join(ctx, "r"))
			sid := v.sid
			v.drop()
			for i := range 200 {
				emit(t, emitTo(ns, sid).Emit(ctx, "e", i))
			}
			v.connect("")
			c := v.srv.IO.RecoveryCounts()
			if v.sid == sid || len(v.events) > 0 || v.socket().Recovered() || v.socket().In("r") || c.Incomplete != 1 {
				t.Errorf("recovered: %v, %d events, counts %+v", v.sid == sid, len(v.events), c)
			}
			if c.Bytes > 10_000 {
				t.Errorf("%d bytes are kept", c.Bytes)
			}
		})
	}
}

// Rooms count from when a socket joined until it left.
func TestRecoveryOfRoomsLeftAndJoined(t *testing.T) {
	ctx := context.Background()
	v, ns := recovering(t, socketio.Options{})
	emit(t, ns.To(v.sid).Emit(ctx, "first"))
	v.next(1)
	sid, s := v.sid, v.socket()
	other := &visitor{t: t, srv: v.srv}
	other.connect("")
	for _, room := range []string{"early", "late", "both"} {
		emit(t, other.socket().Join(ctx, room))
	}
	v.conn.StopReading() // so that it has not received what follows
	all := func(text string) {
		for _, room := range []string{"early", "late", "both"} {
			emit(t, ns.To(room).Emit(ctx, room+text))
		}
	}
	emit(t, s.Join(ctx, "early", "both"))
	all("1")
	s.Leave("early")
	emit(t, s.Join(ctx, "late"))
	all("2")
	v.drop()
	all("3")
	emit(t, ns.To(sid).Leave(ctx, "late"))
	all("4")
	v.connect("")
	want := []string{"early1", "both1", "late2", "both2", "late3", "both3", "both4"}
	if v.sid != sid || !slices.Equal(v.events, want) {
		t.Errorf("recovered: %v, events %q, want %q", v.sid == sid, v.events, want)
	}
	if got := v.socket().Rooms(); !slices.Equal(got, []string{sid, "both"}) {
		t.Errorf("rooms %q", got)
	}
}

// Who may not come back gets a new socket, and what it sent is counted.
func TestRecoveryRefused(t *testing.T) {
	ctx := context.Background()
	type counts = socketio.RecoveryCounts
	for name, tc := range map[string]struct {
		before func(v *visitor, ns *socketio.Namespace)
		want   func(counts) int64
	}{
		"forged secret":   {func(v *visitor, _ *socketio.Namespace) { v.drop(); v.pid = strings.Repeat("x", 20) }, func(c counts) int64 { return c.Unknown }},
		"its socket's id": {func(v *visitor, _ *socketio.Namespace) { v.drop(); v.pid = v.sid }, func(c counts) int64 { return c.Unknown }},
		"forged offset":   {func(v *visitor, _ *socketio.Namespace) { v.drop(); v.offset = "Q8XGcac" }, func(c counts) int64 { return c.Offset }},
		"future offset": {func(v *visitor, _ *socketio.Namespace) {
			v.drop()
			v.offset = v.offset[:strings.Index(v.offset, ".")] + ".zzzz"
		}, func(c counts) int64 { return c.Offset }},
		"it left": {func(v *visitor, ns *socketio.Namespace) {
			s := v.socket()
			v.conn.SendText("1")
			waittest.Until(v.t, "it has left", func() bool { return !s.Connected() })
		}, func(c counts) int64 { return c.Unknown }},
		"the server disconnected it": {func(v *visitor, ns *socketio.Namespace) {
			emit(v.t, ns.To("r").Disconnect(ctx, false))
			if got := v.conn.Text(); got != "1" {
				v.t.Errorf("got %q", got)
			}
		}, func(c counts) int64 { return c.Unknown }},
		"the server disconnected it while it was away": {func(v *visitor, ns *socketio.Namespace) {
			v.drop()
			emit(v.t, ns.To("r").Disconnect(ctx, false))
		}, func(c counts) int64 { return c.Unknown }},
		"the program disconnects the socket that was lost": {func(v *visitor, ns *socketio.Namespace) {
			s := v.socket()
			v.drop()
			s.Disconnect(false)
		}, func(c counts) int64 { return c.Unknown }},
		"the same with its connection": {func(v *visitor, ns *socketio.Namespace) {
			s := v.socket()
			v.drop()
			s.Disconnect(true)
		}, func(c counts) int64 { return c.Unknown }},
		"the program disconnects it while it decides": {func(v *visitor, ns *socketio.Namespace) {
			v.drop()
			ns.OnRecovery(func(context.Context, *socketio.Socket, []string) ([]string, bool) {
				emit(v.t, ns.To("r").Disconnect(ctx, false))
				return nil, true
			})
		}, func(c counts) int64 { return c.Unknown }},
		"the program refuses": {func(v *visitor, ns *socketio.Namespace) {
			v.drop()
			ns.OnRecovery(func(context.Context, *socketio.Socket, []string) ([]string, bool) { return nil, false })
		}, func(c counts) int64 { return c.Refused }},
	} {
		t.Run(name, func(t *testing.T) {
			v, ns := recovering(t, socketio.Options{})
			emit(t, v.socket().Join(ctx, "r"))
			emit(t, v.socket().SetData(1))
			emit(t, ns.To("r").Emit(ctx, "first"))
			v.next(1)
			sid, pid := v.sid, v.pid
			tc.before(v, ns)
			emit(t, ns.To("r").Emit(ctx, "secret"))
			v.connect("")
			if v.sid == sid || v.pid == pid || len(v.events) > 0 {
				t.Errorf("recovered, or got %q", v.events)
			}
			if s := v.socket(); s.Recovered() || s.In("r") || s.Data() != nil {
				t.Errorf("it has rooms %q, data %v", s.Rooms(), s.Data())
			}
			if c := v.srv.IO.RecoveryCounts(); tc.want(c) != 1 || c.Recovered != 0 {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

// A secret serves once: of two that come at the same time one is recovered.
func TestRecoveryOnce(t *testing.T) {
	v, ns := recovering(t, socketio.Options{})
	sid := v.sid
	v.drop()
	a, b := *v, *v
	a.connect("")
	b.connect("")
	if a.sid != sid || b.sid == sid || ns.Count() != 2 {
		t.Errorf("the first is recovered: %v, the second: %v, %d sockets", a.sid == sid, b.sid == sid, ns.Count())
	}
}

// Middleware does not run for a recovered socket, unless the program wants it to; if it
// refuses, the client may try again.
func TestRecoveryAndMiddleware(t *testing.T) {
	for _, check := range []bool{false, true} {
		v, ns := recovering(t, socketio.Options{})
		sid := v.sid
		var calls atomic.Int64
		if check {
			ns.CheckRecovered()
		}
		v.drop()
		ns.Use(func(_ context.Context, s *socketio.Socket) error {
			n := calls.Add(1)
			if got := string(s.Handshake().Auth.JSON); got != `{"token":"t"}` {
				t.Errorf("auth is %s", got)
			}
			if !s.Recovered() || n == 1 {
				return fmt.Errorf("once more")
			}
			return nil
		})
		if check {
			conn := engineiotest.Dial(t, v.srv.URL+"/socket.io/", engineiotest.Options{})
			conn.SendText(`0{"pid":"` + v.pid + `","token":"t"}`)
			if got := conn.Text(); got != `4{"message":"once more"}` {
				t.Errorf("got %q", got)
			}
		}
		v.connect(`,"token":"t"`)
		want := int64(0)
		if check {
			want = 2
		}
		if v.sid != sid || calls.Load() != want {
			t.Errorf("check %v: recovered: %v, %d calls, want %d", check, v.sid == sid, calls.Load(), want)
		}
	}
}

// The handlers of one socket id never overlap, nor do those of its end come after those of
// its beginning.
func TestRecoveryKeepsHandlersInOrder(t *testing.T) {
	v, ns := recovering(t, socketio.Options{})
	blocked, release := make(chan bool, 2), make(chan bool)
	order := make(chan string, 9)
	ns.OnDisconnect(func(context.Context, *socketio.Socket, socketio.Reason) {
		blocked <- true
		<-release
		order <- "disconnected"
	})
	ns.OnConnect(func(context.Context, *socketio.Socket) error { order <- "connected"; return nil })
	v.drop()
	<-blocked
	v.connect("")
	close(release)
	for _, want := range []string{"disconnected", "connected"} {
		if got := receive(t, order, want); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Events of other servers are recovered like those of the client's own. If some of them may
// have been lost, clients that were away get new sockets; those that were connected, and are
// away later, are recovered.
func TestRecoveryInACluster(t *testing.T) {
	ctx := context.Background()
	cluster := adapter.NewMemory()
	var lost []func()
	factory := func(l adapter.Local) adapter.Adapter {
		lost = append(lost, l.EventsLost)
		return cluster.Factory()(l)
	}
	v, _ := recovering(t, socketio.Options{Adapter: factory})
	other := serve(t, socketio.Options{Adapter: cluster.Factory()}).IO.Namespace("/")
	s, sid := v.socket(), v.sid
	emit(t, s.Join(ctx, "r"))
	lost[0]()
	v.drop()
	emit(t, other.To("r").Emit(ctx, "to its room"))
	emit(t, other.To(sid).Emit(ctx, "to it"))
	emit(t, other.To("another").Emit(ctx, "to another room"))
	emit(t, other.Emit(ctx, "to all"))
	v.connect("")
	if want := []string{"to its room", "to it", "to all"}; v.sid != sid || !slices.Equal(v.events, want) {
		t.Fatalf("recovered: %v, events %q", v.sid == sid, v.events)
	}
	v.drop()
	lost[0]()
	v.connect("")
	if v.sid == sid || v.srv.IO.RecoveryCounts().Incomplete != 1 {
		t.Error("recovered, though events may have been lost")
	}
	s, sid = v.socket(), v.sid
	emit(t, s.Join(ctx, "r"))
	v.drop()
	emit(t, other.To("r").Disconnect(ctx, false))
	v.connect("")
	if v.sid == sid {
		t.Error("recovered, though another server has disconnected it")
	}
}

// A recovery that would be more than the client may have queued is refused at once: otherwise
// it would be disconnected, and come back, for as long as the events are kept.
func TestRecoveryOfTooMuch(t *testing.T) {
	v, ns := recovering(t, socketio.Options{Engine: engineio.Options{MaxBacklogBytes: 100_000}})
	sid := v.sid
	v.drop()
	for range 10 {
		emit(t, ns.Emit(context.Background(), "e", strings.Repeat("x", 10_000)))
	}
	v.connect("")
	if v.sid == sid || len(v.events) > 0 {
		t.Errorf("recovered: %v, %d events", v.sid == sid, len(v.events))
	}
}

// What the handlers of a socket send after its client has come back reaches the client: they
// run on, and have the socket of before.
func TestRecoveryWhileHandlersRun(t *testing.T) {
	v, ns := recovering(t, socketio.Options{})
	blocked, release := make(chan bool), make(chan bool)
	ns.Handle("work", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, _ *socketio.Event) error {
		close(blocked)
		<-release
		return s.Emit(context.Background(), "done")
	}))
	v.conn.SendText(`2["work"]`)
	<-blocked
	sid := v.sid
	v.drop()
	v.connect("")
	close(release)
	v.until("done")
	if v.sid != sid {
		t.Error("not recovered")
	}
}

// The socket of before stands for the client that has come back.
func TestDisconnectOfASocketThatHasComeBack(t *testing.T) {
	v, ns := recovering(t, socketio.Options{})
	before := v.socket()
	v.drop()
	v.connect("")
	before.Disconnect(false)
	if got := v.conn.Text(); got != "1" || ns.Count() != 0 {
		t.Errorf("got %q, %d sockets", got, ns.Count())
	}
	sid := v.sid
	v.conn.Break()
	if v.connect(""); v.sid == sid {
		t.Error("recovered, though the program had disconnected it")
	}
}

func TestCloseTwiceWithRecovery(t *testing.T) {
	io := socketio.New(socketio.Options{Recovery: socketio.RecoveryOptions{Window: time.Minute}})
	for range 2 {
		emit(t, io.Close(context.Background()))
	}
}

// Clients that lose their connection at any moment, while events are sent all the time, get
// each event once and in order, or a new socket.
func TestRecoveryAtAnyMoment(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	v, ns := recovering(t, socketio.Options{})
	ns.OnConnect(func(ctx context.Context, s *socketio.Socket) error { return s.Join(ctx, "r") })
	var publisher, clients sync.WaitGroup
	publisher.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			if n%3 == 0 {
				for _, s := range ns.Sockets("r") {
					s.Volatile().Emit(ctx, "volatile", "text")
				}
			}
			emit(t, ns.To("r").Emit(context.Background(), "n", n))
		}
	})
	for i := range 6 {
		clients.Go(func() {
			c := &visitor{t: t, srv: v.srv}
			last := ""
			for range 10 {
				sid := c.sid
				c.conn = engineiotest.Dial(t, v.srv.URL+"/socket.io/", engineiotest.Options{Polling: i%2 == 1})
				c.connectAgain("")
				if c.sid != sid {
					last = ""
				}
				c.next(rand.IntN(300))
				for _, e := range c.events {
					text, ok := strings.CutPrefix(e, "n")
					if !ok {
						continue
					}
					n, _ := strconv.Atoi(text)
					if before, err := strconv.Atoi(last); err == nil && n != before+1 {
						t.Errorf("client %d got %d after %d", i, n, before)
					}
					last = text
				}
				c.conn.Break()
				time.Sleep(rand.N(20 * time.Millisecond)) // any moment
			}
		})
	}
	clients.Wait()
	stop()
	publisher.Wait()
	if c := v.srv.IO.RecoveryCounts(); c.Recovered == 0 || c.Offset+c.Incomplete > 0 {
		t.Errorf("counts %+v", c)
	} else {
		t.Logf("counts %+v", c)
	}
}

// A handler that never returns keeps a client from its handlers for a bounded time only.
func TestRecoveryBehindAStuckHandler(t *testing.T) {
	inBubble(t, socketio.Options{Recovery: socketio.RecoveryOptions{Window: time.Minute}}, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
		ns := io.Namespace("/")
		release := make(chan bool)
		ns.Handle("stuck", socketio.HandlerFunc(func(context.Context, *socketio.Socket, *socketio.Event) error { <-release; return nil }))
		ns.Handle("echo", echo)
		conn := engineiotest.Dial(t, endpoint, opts)
		conn.SendText("0")
		var ids struct{ PID string }
		if err := json.Unmarshal([]byte(conn.Text()[1:]), &ids); err != nil {
			t.Fatal(err)
		}
		conn.SendText(`2["stuck"]`)
		synctest.Wait()
		conn.Break()
		synctest.Wait()
		start := time.Now()
		again := engineiotest.Dial(t, endpoint, opts)
		again.SendText(`0{"pid":"` + ids.PID + `"}`)
		again.Text()
		again.SendText(`27["echo",1]`)
		if got := again.Text(); got != "37[1]" {
			t.Errorf("got %q", got)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("after %v", d)
		}
		close(release)
		again.Close()
	})
}
