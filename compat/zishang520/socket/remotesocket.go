package socket

import (
	"encoding/json"
	"time"

	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// RemoteSocket is a socket of any server as it was when it was fetched, with methods
// that affect only this socket.
type RemoteSocket struct {
	id        SocketId
	handshake *Handshake
	rooms     *types.Set[Room]
	data      any
	operator  *BroadcastOperator
}

func newRemoteSocket(n *namespace, info adapter.SocketInfo) *RemoteSocket {
	r := &RemoteSocket{
		id: SocketId(info.ID), rooms: types.NewSet[Room](),
		operator: &BroadcastOperator{nsp: n, rooms: []string{info.ID}, single: true},
	}
	for _, room := range info.Rooms {
		r.rooms.Add(Room(room))
	}
	if s, ok := n.sockets.Load(r.id); ok {
		r.handshake, r.data = s.Handshake(), s.Data()
		return r
	}
	r.handshake = parseHandshake(info.Handshake)
	json.Unmarshal(info.Data, &r.data)
	return r
}

// Id returns the id of the socket.
func (r *RemoteSocket) Id() SocketId { return r.id }

// Handshake returns the socket's handshake.
func (r *RemoteSocket) Handshake() *Handshake { return r.handshake }

// Rooms returns the rooms that the socket was in.
func (r *RemoteSocket) Rooms() *types.Set[Room] { return r.rooms }

// Data returns the value of SetData: for a socket of another server its JSON, decoded,
// which is an empty map if there is none.
func (r *RemoteSocket) Data() any { return r.data }

// Timeout returns an operator that waits so long for the acknowledgement.
func (r *RemoteSocket) Timeout(d time.Duration) *BroadcastOperator { return r.operator.Timeout(d) }

// Emit sends an event to the socket, see BroadcastOperator.Emit.
func (r *RemoteSocket) Emit(event string, args ...any) error { return r.operator.Emit(event, args...) }

// Join adds the socket to rooms.
func (r *RemoteSocket) Join(rooms ...Room) { r.operator.SocketsJoin(rooms...) }

// Leave removes the socket from rooms.
func (r *RemoteSocket) Leave(rooms ...Room) { r.operator.SocketsLeave(rooms...) }

// Disconnect disconnects the socket, or closes the client's whole connection.
func (r *RemoteSocket) Disconnect(closeConnection bool) *RemoteSocket {
	r.operator.DisconnectSockets(closeConnection)
	return r
}
