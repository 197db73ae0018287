package socket

import (
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/puente-io/puente/compat/zishang520/events"
	"github.com/puente-io/puente/server/socketio"
)

// anyListeners are called for every event, with its name as the first argument.
type anyListeners struct {
	mu   sync.Mutex
	list atomic.Pointer[[]events.Listener] // never changed
}

func (a *anyListeners) all() []events.Listener {
	if list := a.list.Load(); list != nil {
		return *list
	}
	return nil
}

// any reports whether there are listeners.
func (a *anyListeners) any() bool { return len(a.all()) > 0 }

func (a *anyListeners) call(event []any) {
	for _, l := range a.all() {
		l(event...)
	}
}

// change replaces the list.
func (a *anyListeners) change(f func([]events.Listener) []events.Listener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := f(slices.Clone(a.all()))
	a.list.Store(&list)
}

func (a *anyListeners) add(l events.Listener) {
	a.change(func(list []events.Listener) []events.Listener { return append(list, l) })
}

func (a *anyListeners) prepend(l events.Listener) {
	a.change(func(list []events.Listener) []events.Listener { return slices.Insert(list, 0, l) })
}

// remove removes the first listener that is the same function, or all if l is nil.
func (a *anyListeners) remove(l events.Listener) {
	a.change(func(list []events.Listener) []events.Listener {
		if l == nil {
			return nil
		}
		i := slices.IndexFunc(list, func(other events.Listener) bool {
			return reflect.ValueOf(other).Pointer() == reflect.ValueOf(l).Pointer()
		})
		if i < 0 {
			return list
		}
		return slices.Delete(list, i, i+1)
	})
}

// OnAny adds a listener of all events of the client. It gets the event's name and
// arguments, before the event's own listeners and the middleware of Use.
func (s *Socket) OnAny(l events.Listener) *Socket { s.any.add(l); return s }

// PrependAny is OnAny for a listener that is called before the others.
func (s *Socket) PrependAny(l events.Listener) *Socket { s.any.prepend(l); return s }

// OffAny removes a listener of OnAny, or all if it is nil. Closures of one function
// literal count as the same.
func (s *Socket) OffAny(l events.Listener) *Socket { s.any.remove(l); return s }

// ListenersAny returns the listeners of OnAny.
func (s *Socket) ListenersAny() []events.Listener { return slices.Clone(s.any.all()) }

// OnAnyOutgoing adds a listener of all events that are sent to the client, broadcasts
// included. It gets the event's name and arguments, decoded from what is sent.
func (s *Socket) OnAnyOutgoing(l events.Listener) *Socket { s.sent.add(l); return s.watch() }

// PrependAnyOutgoing is OnAnyOutgoing for a listener that is called before the others.
func (s *Socket) PrependAnyOutgoing(l events.Listener) *Socket { s.sent.prepend(l); return s.watch() }

// OffAnyOutgoing removes a listener of OnAnyOutgoing, or all if it is nil.
func (s *Socket) OffAnyOutgoing(l events.Listener) *Socket { s.sent.remove(l); return s.watch() }

// watch sees to it that the listeners of OnAnyOutgoing are called, if there are any.
func (s *Socket) watch() *Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.sent.any() && s.unwatch == nil:
		s.unwatch = s.io.OnAnyOutgoing(func(_ *socketio.Socket, event string, args socketio.Args) {
			if list, err := appendDecoded([]any{event}, args); err == nil {
				s.sent.call(list)
			}
		})
	case !s.sent.any() && s.unwatch != nil:
		s.unwatch()
		s.unwatch = nil
	}
	return s
}

// ListenersAnyOutgoing returns the listeners of OnAnyOutgoing.
func (s *Socket) ListenersAnyOutgoing() []events.Listener { return slices.Clone(s.sent.all()) }

// Use adds a middleware for the events of this socket.
func (s *Socket) Use(m SocketMiddleware) *Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fns = append(slices.Clip(s.fns), m)
	return s
}

func (s *Socket) middleware() []SocketMiddleware {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fns
}
