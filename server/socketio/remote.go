package socketio

import (
	"context"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// RemoteSocket is a socket of any server: its description at the time of the
// fetch, and methods that affect only this socket. It is a value and may be
// kept. After the socket has disconnected the methods do nothing, without an
// error.
type RemoteSocket struct {
	adapter.SocketInfo
	self Operator
}

// DecodeData decodes the value that the socket's server set with SetData into the value
// that into points to; if none was set, it decodes {}. Errors wrap [ErrDecode].
func (r RemoteSocket) DecodeData(into any) error { return Value{JSON: r.Data}.Decode(into) }

// Emit sends an event to the socket, see [Operator.Emit].
func (r RemoteSocket) Emit(ctx context.Context, event string, args ...any) error {
	return r.self.Emit(ctx, event, args...)
}

// EmitWithAck sends an event to the socket and returns the first argument of
// its acknowledgement, or nothing if it has disconnected; see
// [Operator.EmitWithAck].
func (r RemoteSocket) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	return r.self.EmitWithAck(ctx, event, args...)
}

// Join adds the socket to rooms, see [Operator.Join].
func (r RemoteSocket) Join(ctx context.Context, rooms ...string) error {
	return r.self.Join(ctx, rooms...)
}

// Leave removes the socket from rooms, see [Operator.Leave].
func (r RemoteSocket) Leave(ctx context.Context, rooms ...string) error {
	return r.self.Leave(ctx, rooms...)
}

// Disconnect disconnects the socket, see [Operator.Disconnect].
func (r RemoteSocket) Disconnect(ctx context.Context, closeConn bool) error {
	return r.self.Disconnect(ctx, closeConn)
}
