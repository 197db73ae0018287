package socket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/puente-io/puente/server/socketio"
)

// errTimeout is what an Ack gets if no acknowledgement came in time.
var errTimeout = errors.New("operation has timed out")

// splitAck returns the arguments without the Ack at their end, if there is one.
func splitAck(args []any) ([]any, Ack) {
	if len(args) > 0 {
		if ack, ok := args[len(args)-1].(Ack); ok {
			return args[:len(args)-1], ack
		}
	}
	return args, nil
}

// Emit sends an event to the client. If the last argument is an Ack, it gets the
// acknowledgement; if the client disconnects before, it is called only if there is a
// Timeout. Emit returns an error if the name is reserved or an argument cannot be
// encoded, and nil if the client has disconnected.
func (s *Socket) Emit(event string, args ...any) error {
	plain, ack := splitAck(args)
	list, err := encode(plain)
	if err != nil {
		return err
	}
	emit := func() error {
		switch {
		case ack != nil:
			s.ask(event, list, ack)
			return nil
		case s.flags.volatile:
			return s.operator().Volatile().Emit(context.Background(), event, list...)
		}
		return s.operator().Emit(context.Background(), event, list...)
	}
	if phase(s.phase.Load()) == connecting {
		s.whenConnected(func() { emit() })
		return nil
	}
	if err := emit(); !errors.Is(err, socketio.ErrDisconnected) {
		return err
	}
	return nil
}

// operator returns the socket of package socketio with the flags.
func (s *Socket) operator() socketio.SocketOperator { return s.io.Compress(!s.flags.uncompressed) }

// ask sends an event, and calls ack with the acknowledgement.
func (s *Socket) ask(event string, args []any, ack Ack) {
	await(s.flags.timeout, func(ctx context.Context) {
		values, err := s.operator().EmitWithAck(ctx, event, args...)
		var answer []any
		if err == nil {
			answer, err = appendDecoded([]any{}, values)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = errTimeout
		}
		if err != nil && s.flags.timeout == 0 {
			return
		}
		s.nsp.server.guard(event, func() { ack(answer, err) })
	})
}

// EmitWithAck returns a function that sends the event and calls its argument with the
// acknowledgement, see Emit.
func (s *Socket) EmitWithAck(event string, args ...any) func(Ack) {
	return func(ack Ack) { s.Emit(event, append(args[:len(args):len(args)], ack)...) }
}

// Send is Emit("message", …).
func (s *Socket) Send(args ...any) *Socket {
	s.Emit("message", args...)
	return s
}

// Write is Send.
func (s *Socket) Write(args ...any) *Socket { return s.Send(args...) }

// await calls f on another goroutine and returns when f has queued an event, so that
// what the caller emits next comes behind it. It takes the first use of the context's
// Done for this moment: package socketio waits for a context only once it has queued.
// A timeout of 0 is none.
func await(timeout time.Duration, f func(context.Context)) {
	ctx, cancel := context.Background(), func() {}
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	q := &queuedContext{Context: ctx, queued: make(chan struct{})}
	go func() {
		defer cancel()
		defer q.Done()
		f(q)
	}()
	<-q.queued
}

// queuedContext is a context that closes queued when Done is called.
type queuedContext struct {
	context.Context
	once   sync.Once
	queued chan struct{}
}

func (c *queuedContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.queued) })
	return c.Context.Done()
}
