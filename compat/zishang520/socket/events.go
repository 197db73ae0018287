package socket

import (
	"sync"

	"github.com/puente-io/puente/compat/zishang520/events"
	"github.com/puente-io/puente/server/socketio"
)

// serve passes an event of the client to the listeners.
func (s *Socket) serve(e *socketio.Event) error {
	fns := s.middleware()
	if len(fns) == 0 && !s.any.any() && s.ListenerCount(events.EventName(e.Name)) == 0 {
		return nil
	}
	values := e.Args()
	event, err := appendDecoded(append(make([]any, 0, len(values)+2), e.Name), values)
	if err != nil {
		return err
	}
	if e.WantsAck() {
		event = append(event, s.acknowledge(e))
	}
	s.any.call(event)
	var once sync.Once
	run(fns, event, func(err error) {
		once.Do(func() {
			if err != nil {
				s.EmitReserved("error", err)
				return
			}
			s.EmitUntyped(e.Name, event[1:]...)
		})
	})
	return nil
}

// run calls middleware one after the other, and end after the last, or with an error.
func run(rest []SocketMiddleware, event []any, end func(error)) {
	if len(rest) == 0 {
		end(nil)
		return
	}
	rest[0](event, func(err error) {
		if err != nil {
			end(err)
			return
		}
		run(rest[1:], event, end)
	})
}

// acknowledge returns the function that acknowledges an event, once.
func (s *Socket) acknowledge(e *socketio.Event) Ack {
	var once sync.Once
	return func(args []any, _ error) {
		once.Do(func() {
			list, err := encode(args)
			if err == nil {
				err = e.Reply(list...)
			}
			s.nsp.server.report(e.Name, err)
		})
	}
}
