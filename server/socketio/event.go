package socketio

import (
	"context"
	"sync/atomic"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Handler handles one kind of event.
type Handler interface {
	// ServeEvent handles an event of a socket. ctx ends when the socket
	// disconnects. An error is passed to the function of [Handlers.OnError].
	ServeEvent(ctx context.Context, s *Socket, e *Event) error
}

// HandlerFunc adapts a function to a [Handler].
type HandlerFunc func(ctx context.Context, s *Socket, e *Event) error

// ServeEvent calls f.
func (f HandlerFunc) ServeEvent(ctx context.Context, s *Socket, e *Event) error { return f(ctx, s, e) }

// Event is an event from a client. It may be kept. Its methods are safe for
// concurrent use, except Return.
type Event struct {
	// Name is the event's name.
	Name string

	socket      *Socket
	args        []byte // JSON values with commas between
	count       int    // of args, 0 if it is not known
	attachments [][]byte
	excess      error // not nil if it is refused, see packet.Packet.Excess
	id          uint64
	wantsAck    bool
	replied     atomic.Bool

	mark func() // if not nil, this is no event but a marker: called when the events before it have been handled

	result    []any // of Return, usually stored in one
	hasResult bool
	one       [1]any
	frame     [1]engineio.Frame // usually holds the reply
}

// WantsAck reports whether the client waits for an acknowledgement.
func (e *Event) WantsAck() bool { return e.wantsAck }

// Args returns the arguments.
func (e *Event) Args() Args { return argsOf(adapter.Args{List: e.args, Attachments: e.attachments}) }

// Len returns the number of arguments.
func (e *Event) Len() int {
	if e.count > 0 {
		return e.count
	}
	return len(packet.Elements(e.args))
}

// Decode decodes the first arguments, see [Args.Decode].
func (e *Event) Decode(into ...any) error { return e.Args().Decode(into...) }

// Arg returns argument number i, counted from 0, or the zero Value (null) if
// there are fewer.
func (e *Event) Arg(i int) Value {
	if i == 0 && e.count == 1 { // the common case, and it may be large
		return Value{JSON: packet.Trim(e.args), Attachments: e.attachments}
	}
	if text, ok := packet.Element(e.args, i); ok {
		return Value{JSON: text, Attachments: e.attachments}
	}
	return Value{}
}

// Reply acknowledges the event now; if the client does not wait for an
// acknowledgement it does nothing. It waits as [Socket.Emit] does. Errors: ErrReplied if
// the event was acknowledged before, ErrDisconnected, and those that wrap ErrEncode or
// ErrAttachments.
func (e *Event) Reply(args ...any) error {
	fs, err := e.replyFrames(args)
	if err != nil || fs == nil {
		return err
	}
	return e.socket.send(context.Background(), engineio.NewMessage(fs[0], fs[1:]...))
}

// Return sets the acknowledgement that is sent when the handler returns without
// an error. It is cheaper than Reply for a handler that replies last. If args
// cannot be encoded, the event ends as if the handler had returned an error
// that wraps ErrEncode. Return must be called on the handler's goroutine.
func (e *Event) Return(args ...any) { e.result, e.hasResult = append(e.one[:0], args...), true }

func (e *Event) replyFrames(args []any) ([]engineio.Frame, error) {
	if !e.wantsAck {
		return nil, nil
	}
	if e.replied.Load() {
		return nil, ErrReplied
	}
	if !e.socket.Connected() {
		return nil, ErrDisconnected
	}
	p := packet.Packet{Type: packet.Ack, Namespace: e.socket.ns.name, ID: e.id, HasID: true}
	if e.socket.client.msgpack {
		return e.packReply(&p, args)
	}
	// A reply without attachments, the common case, is encoded in place.
	text := packet.AppendText(engineio.StartText(128), &p)
	head := len(text)
	text, attachments, err := encodeList(append(text, '['), args, false)
	if err != nil {
		return nil, err
	}
	if len(attachments) > 0 {
		if err := e.socket.client.server.checkAttachments(text[head:], attachments); err != nil {
			return nil, err
		}
	}
	if e.replied.Swap(true) {
		return nil, ErrReplied
	}
	if len(attachments) > 0 {
		p.Data, p.Attachments = text[head:], attachments
		first, rest := textFrames(&p, nil)
		return append([]engineio.Frame{first}, rest...), nil
	}
	e.frame[0] = engineio.FinishText(text)
	return e.frame[:], nil
}

// packReply is replyFrames for a client that takes MessagePack.
func (e *Event) packReply(p *packet.Packet, args []any) (fs []engineio.Frame, err error) {
	if p.Data, p.Attachments, err = encodeAck(args); err != nil {
		return nil, err
	}
	if len(p.Attachments) > 0 {
		if err := e.socket.client.server.checkAttachments(p.Data, p.Attachments); err != nil {
			return nil, err
		}
	}
	if e.frame[0], err = msgpackFrame(p); err != nil {
		return nil, err
	}
	if e.replied.Swap(true) {
		return nil, ErrReplied
	}
	return e.frame[:], nil
}
