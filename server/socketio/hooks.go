package socketio

import (
	"log/slog"

	"github.com/puente-io/puente/server/engineio"
)

// Hooks are functions that observe a server and change nothing; what observes its
// sessions is in [engineio.Hooks]. A nil hook is not called. A hook is called on
// the goroutine of what it observes, without locks, by several goroutines at a
// time, and must not block. A panic is recovered, counted by
// [Server.HandlerPanics] and passed to HandlerError.
type Hooks struct {
	// PacketError: a client sent an invalid or unexpected packet. Its session
	// is closed.
	PacketError func(s *engineio.Session, err error)
	// Refused: a middleware refused a connection.
	Refused func(s *Socket, err error)
	// RoomJoined and RoomLeft: a socket of this server has joined a room, or
	// left it, possibly by disconnecting. The socket's own room does not count. If
	// it joins and leaves at the same time on two goroutines, the calls may come
	// in another order.
	RoomJoined, RoomLeft func(s *Socket, room string)
	// Unhandled: an event has no handler.
	Unhandled func(s *Socket, event string)
	// HandlerError: a function of the program returned an error or panicked; the
	// error of a panic wraps ErrPanic and has the stack. Errors that the client is
	// meant to read, which wrap an [*Error], are passed too; those of Use are not,
	// but go to Refused. A result that cannot be encoded is an error of its handler,
	// ErrEncode.
	//
	// event is the event's name. It is "" for errors and panics of OnConnect, and
	// for panics of OnDisconnect, OnError, Use, NamespacePattern, the factory of a
	// pattern's adapter, a hook, and an adapter's Broadcast.
	//
	// s is nil for HandleServerSide, Server.Report, a hook, and an adapter's
	// Broadcast. event and s are also empty for panics that the engine has
	// recovered; if Engine.Hooks.HandlerPanic is set, those go there instead.
	//
	// Default: panics, ErrEncode, errors that OnError's default answers as
	// "internal", and those of HandleServerSide are logged with slog.Default, at
	// level Error.
	HandlerError func(s *Socket, event string, err error)
	// BroadcastDropped: another server's broadcast was not delivered, because
	// it exceeds a limit of this server or of its clients. The error wraps
	// ErrAttachments or ErrArguments.
	BroadcastDropped func(ns *Namespace, err error)
}

// observe calls a hook.
func (srv *Server) observe(hook func()) {
	if err := Guard(func() error { hook(); return nil }); err != nil {
		srv.failed(nil, "", err)
	}
}

// handlerError calls Hooks.HandlerError. A panic of it is logged.
func (srv *Server) handlerError(s *Socket, event string, err error) {
	again := Guard(func() error { srv.opts.Hooks.HandlerError(s, event, err); return nil })
	if again != nil {
		srv.panics.Add(1)
		logFailure(s, event, err)
		slog.Error("socketio: Hooks.HandlerError panicked", "error", again)
	}
}

// roomsJoined and roomsLeft call the hooks. The caller holds no locks.
func (s *Socket) roomsJoined(rooms []string) {
	s.observeRooms(s.client.server.opts.Hooks.RoomJoined, rooms)
}
func (s *Socket) roomsLeft(rooms []string) {
	s.observeRooms(s.client.server.opts.Hooks.RoomLeft, rooms)
}

func (s *Socket) observeRooms(hook func(*Socket, string), rooms []string) {
	if hook == nil {
		return
	}
	for _, room := range rooms {
		s.client.server.observe(func() { hook(s, room) })
	}
}
