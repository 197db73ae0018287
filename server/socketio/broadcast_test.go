package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// crowd is clients 0 to n-1 and their sockets; number i is in the rooms "all",
// "even" or "odd", and its number.
func crowd(t testing.TB, srv *socketiotest.Server, n int) ([]*socketiotest.Client, []*socketio.Socket) {
	t.Helper()
	clients, sockets := make([]*socketiotest.Client, n), make([]*socketio.Socket, n)
	for i := range n {
		clients[i], sockets[i] = pair(t, srv, socketiotest.Options{Polling: i == 3})
		if err := sockets[i].Join(t.Context(), "all", []string{"even", "odd"}[i%2], fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	return clients, sockets
}

func TestOperators(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	clients, sockets := crowd(t, srv, 5)
	for i, tc := range []struct {
		to   socketio.Operator
		want []int
	}{
		{ns.All(), []int{0, 1, 2, 3, 4}},
		{ns.To("even"), []int{0, 2, 4}},
		{ns.To("even").To("2", "3"), []int{0, 2, 3, 4}},
		{ns.To("even", "all"), []int{0, 1, 2, 3, 4}},
		{ns.To("all").Except("odd"), []int{0, 2, 4}},
		{ns.Except("even", "1"), []int{3}},
		{ns.To("nobody"), nil},
		{ns.To(sockets[1].ID()), []int{1}},
		{ns.To("even").Except(sockets[2].ID()), []int{0, 4}},
		{sockets[0].To("even"), []int{2, 4}},
		{sockets[0].Broadcast(), []int{1, 2, 3, 4}},
		{ns.To("even").Local().Compress(false), []int{0, 2, 4}},
	} {
		if err := tc.to.Emit(t.Context(), "e", i, []byte{byte(i)}); err != nil {
			t.Error(err)
		}
		if err := ns.Emit(t.Context(), "end"); err != nil {
			t.Error(err)
		}
		for n, c := range clients {
			e := c.Next()
			got := e.Name == "e"
			if got != slices.Contains(tc.want, n) {
				t.Errorf("case %d: client %d got %s", i, n, e.Name)
			}
			if got {
				if len(e.Attachments) != 1 || e.Attachments[0][0] != byte(i) {
					t.Errorf("case %d: attachments %v", i, e.Attachments)
				}
				c.Expect("end")
			}
		}
	}
}

// A hundred broadcasts in a loop arrive a hundred times, in order.
func TestBroadcastLoop(t *testing.T) {
	srv := serve(t, socketio.Options{})
	clients, _ := crowd(t, srv, 5)
	for i := range 100 {
		if err := srv.IO.Namespace("/").To("all").Emit(t.Context(), "e", i); err != nil {
			t.Error(err)
		}
	}
	for n, c := range clients {
		for i := range 100 {
			if got := text(c.Expect("e").Args); got != fmt.Sprintf("[%d]", i) {
				t.Fatalf("client %d got %s for broadcast %d", n, got, i)
			}
		}
	}
}

func TestJoinLeaveDisconnectOperators(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	clients, sockets := crowd(t, srv, 4)
	ctx := t.Context()
	if err := ns.To("even").Join(ctx, "new"); err != nil || !sockets[0].In("new") || sockets[1].In("new") || !ns.HasRoom("new") {
		t.Errorf("Join: %v", err)
	}
	if err := ns.To("2").Leave(ctx, "new"); err != nil || !slices.Equal(sockets[0].Rooms(), []string{sockets[0].ID(), "all", "even", "0", "new"}) || sockets[2].In("new") {
		t.Errorf("Leave: %v, %q", err, sockets[0].Rooms())
	}
	if got := ns.Sockets("new"); len(got) != 1 || got[0] != sockets[0] {
		t.Errorf("Sockets: %v", got)
	}
	sockets[1].SetData(map[string]int{"x": 1})
	list, err := ns.To("odd").FetchSockets(ctx)
	if err != nil || len(list) != 2 {
		t.Fatalf("FetchSockets: %v, %v", list, err)
	}
	i := slices.IndexFunc(list, func(r socketio.RemoteSocket) bool { return r.ID == sockets[1].ID() })
	if r := list[i]; string(r.Data) != `{"x":1}` || len(r.Rooms) != 4 || len(r.Handshake) == 0 {
		t.Errorf("RemoteSocket: %+v", r.SocketInfo)
	}
	if err := list[i].Emit(ctx, "hello"); err != nil {
		t.Error(err)
	}
	clients[1].Expect("hello")
	if err := ns.To("odd").Disconnect(ctx, false); err != nil {
		t.Error(err)
	}
	clients[1].ExpectDisconnect()
	clients[3].ExpectDisconnect()
	if n := ns.Count(); n != 2 || ns.HasRoom("odd") {
		t.Errorf("%d sockets are left", n)
	}
	if rooms, err := ns.AllRooms(ctx); err != nil || len(rooms) != 5 {
		t.Errorf("AllRooms: %q, %v", rooms, err)
	}
	if n, err := ns.ServerCount(ctx); err != nil || n != 1 {
		t.Errorf("ServerCount: %d, %v", n, err)
	}
}

func TestBroadcastWithAck(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	clients, _ := crowd(t, srv, 3)
	type result struct {
		answers socketio.Args
		err     error
	}
	ask := func(o socketio.Operator) <-chan result {
		ch := make(chan result, 1)
		go func() {
			answers, err := o.EmitWithAck(context.Background(), "q", 1)
			ch <- result{answers, err}
		}()
		return ch
	}
	got := ask(ns.To("all"))
	for i, c := range clients {
		c.Ack(c.Expect("q"), i)
	}
	if r := receive(t, got, "the answers"); r.err != nil || len(r.answers) != 3 {
		t.Errorf("all answer: %v, %v", r.answers, r.err)
	}
	got = ask(ns.To("nobody"))
	if r := receive(t, got, "no answer"); r.err != nil || len(r.answers) != 0 {
		t.Errorf("nobody is asked: %v, %v", r.answers, r.err)
	}
	got = ask(ns.To("all").Timeout(20 * time.Millisecond))
	clients[0].Ack(clients[0].Expect("q"), "in time")
	clients[1].Expect("q")
	clients[2].Expect("q")
	if r := receive(t, got, "the answers"); !errors.Is(r.err, adapter.ErrTimeout) || len(r.answers) > 1 {
		t.Errorf("two are silent: %v, %v", r.answers, r.err)
	}
	got = ask(ns.To("all"))
	for i, c := range clients {
		if e := c.Expect("q"); i < 2 {
			c.Ack(e)
		} else {
			c.Close()
		}
	}
	if r := receive(t, got, "the answers"); !errors.Is(r.err, adapter.ErrTimeout) || len(r.answers) != 2 {
		t.Errorf("one goes away: %v, %v", r.answers, r.err)
	}
}

// Two servers in one cluster: To reaches both, Local one.
func TestTwoServers(t *testing.T) {
	cluster := adapter.NewMemory()
	a := serve(t, socketio.Options{Adapter: cluster.Factory()})
	b := serve(t, socketio.Options{Adapter: cluster.Factory()})
	ca, cb := dial(t, a), dial(t, b)
	ns := a.IO.Namespace("/")
	ctx := t.Context()
	if err := errors.Join(ns.Emit(ctx, "both"), ns.All().Local().Emit(ctx, "local"), ns.Emit(ctx, "end")); err != nil {
		t.Error(err)
	}
	ca.Expect("both")
	ca.Expect("local")
	cb.Expect("both")
	cb.Expect("end")
	b.IO.Namespace("/").HandleServerSide("ask", func(_ context.Context, args socketio.Args) (any, error) { return len(args), nil })
	answers, err := ns.ServerSideEmitWithAck(ctx, "ask", 1, 2)
	if err != nil || len(answers) != 1 || string(answers[0].JSON) != "2" {
		t.Errorf("ServerSideEmitWithAck: %v, %v", answers, err)
	}
	if list, err := ns.All().FetchSockets(ctx); err != nil || len(list) != 2 {
		t.Errorf("FetchSockets: %v, %v", list, err)
	}
}

// If several servers have not answered, EmitWithAck returns one ErrTimeout.
func TestTimeoutIsSaidOnce(t *testing.T) {
	cluster := adapter.NewMemory()
	a := serve(t, socketio.Options{Adapter: cluster.Factory()})
	b := serve(t, socketio.Options{Adapter: cluster.Factory()})
	dial(t, a)
	dial(t, b)
	_, err := a.IO.Namespace("/").All().Timeout(10*time.Millisecond).EmitWithAck(t.Context(), "nobody answers")
	if !errors.Is(err, socketio.ErrTimeout) || err.Error() != socketio.ErrTimeout.Error() {
		t.Errorf("got %q", err)
	}
}

func TestVolatileEvents(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	c, s := pair(t, srv, socketiotest.Options{})
	if err := errors.Join(s.Volatile().Emit(t.Context(), "a"), ns.All().Volatile().Emit(t.Context(), "b")); err != nil {
		t.Error(err)
	}
	c.Expect("a")
	c.Expect("b")
	c.StopReading()
	big := make([]byte, 100_000)
	for range 2000 { // far more than the buffers and the queue of a client hold
		if err := s.Volatile().Emit(t.Context(), "big", big); err != nil {
			t.Fatalf("a volatile event ended the connection: %v", err)
		}
	}
	if !s.Connected() {
		t.Error("volatile events ended the connection")
	}
}
