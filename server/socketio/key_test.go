package socketio_test

import (
	"testing"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// Each key has its own value of its type, which may be a nil interface.
func TestKeys(t *testing.T) {
	srv := serve(t, socketio.Options{})
	_, a := pair(t, srv, socketiotest.Options{})
	_, b := pair(t, srv, socketiotest.Options{})
	n, m, e := socketio.NewKey[int](), socketio.NewKey[int](), socketio.NewKey[error]()
	if v, ok := n.Get(a); v != 0 || ok {
		t.Errorf("before Set: %v, %v", v, ok)
	}
	n.Set(a, 1)
	m.Set(a, 2)
	n.Set(a, 3)
	e.Set(a, nil)
	if v, ok := n.Get(a); v != 3 || !ok {
		t.Errorf("n: %v, %v", v, ok)
	}
	if v, ok := m.Get(a); v != 2 || !ok {
		t.Errorf("m: %v, %v", v, ok)
	}
	if v, ok := e.Get(a); v != nil || !ok {
		t.Errorf("a nil error: %v, %v", v, ok)
	}
	if _, ok := n.Get(b); ok {
		t.Error("the other socket has the value too")
	}
}

// RoomSize counts a room's sockets. A socket's id is a room with this one socket.
func TestRoomSize(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	_, sockets := crowd(t, srv, 5)
	sockets[1].Join(t.Context(), sockets[0].ID())
	for room, want := range map[string]int{"all": 5, "even": 3, "nobody": 0, sockets[0].ID(): 2, sockets[4].ID(): 1} {
		if got := ns.RoomSize(room); got != want || got != len(ns.Sockets(room)) || ns.HasRoom(room) != (want > 0) {
			t.Errorf("%s: %d, want %d", room, got, want)
		}
	}
}
