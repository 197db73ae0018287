package types

import (
	"reflect"
	"slices"
	"sync"
)

const (
	// EventVersion is the version of the emitter's API.
	EventVersion = "0.0.3"
	// EventDefaultMaxListeners says that there is no limit.
	//
	// Deprecated: it is there for programs that use it.
	EventDefaultMaxListeners = 0
)

// EventName is the name of an event.
type EventName string

// Listener is called with the arguments of an event.
type Listener func(...any)

// Events has the listeners of events.
type Events map[EventName][]Listener

// CopyTo adds the listeners to an emitter.
func (e Events) CopyTo(emitter EventEmitter) {
	for name, listeners := range e {
		emitter.AddListener(name, listeners...)
	}
}

// EventEmitter calls listeners, in the order in which they were added, on the
// goroutine that emits. It is safe for concurrent use; listeners may change it.
type EventEmitter interface {
	// On and AddListener add listeners; Once adds some that are called once at most.
	// The error is always nil.
	On(EventName, ...Listener) error
	AddListener(EventName, ...Listener) error
	Once(EventName, ...Listener) error
	// Emit calls the listeners of an event.
	Emit(EventName, ...any)
	// RemoveListener removes the first listener that is the same function, and reports
	// whether there was one. Closures of one function literal count as the same.
	RemoveListener(EventName, Listener) bool
	// RemoveAllListeners removes the listeners of an event, and reports whether there
	// were any.
	RemoveAllListeners(EventName) bool
	// Clear removes all listeners.
	Clear()
	// Listeners returns the listeners of an event.
	Listeners(EventName) []Listener
	ListenerCount(EventName) int
	// EventNames returns the events with listeners, and Len their number.
	EventNames() []EventName
	Len() int

	// Deprecated: there is no limit.
	GetMaxListeners() uint
	// Deprecated: there is no limit.
	SetMaxListeners(uint)
}

// NewEventEmitter returns an emitter without listeners.
func NewEventEmitter() EventEmitter { return &emitter{} }

type emitter struct {
	mu     sync.Mutex
	events map[EventName][]entry // the slices are never changed
}

type entry struct {
	call Listener
	once *sync.Once // nil: every time
	code uintptr    // of the listener that was added
}

func (e *emitter) AddListener(name EventName, listeners ...Listener) error {
	return e.add(name, listeners, func() *sync.Once { return nil })
}

func (e *emitter) On(name EventName, listeners ...Listener) error {
	return e.AddListener(name, listeners...)
}

func (e *emitter) Once(name EventName, listeners ...Listener) error {
	return e.add(name, listeners, func() *sync.Once { return new(sync.Once) })
}

func (e *emitter) add(name EventName, listeners []Listener, once func() *sync.Once) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := slices.Clip(e.events[name])
	for _, l := range listeners {
		if l != nil {
			list = append(list, entry{call: l, once: once(), code: reflect.ValueOf(l).Pointer()})
		}
	}
	e.set(name, list)
	return nil
}

// set replaces the listeners of an event. e.mu is held.
func (e *emitter) set(name EventName, list []entry) {
	if len(list) == 0 {
		delete(e.events, name)
		return
	}
	if e.events == nil {
		e.events = make(map[EventName][]entry)
	}
	e.events[name] = list
}

func (e *emitter) entries(name EventName) []entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.events[name]
}

func (e *emitter) Emit(name EventName, args ...any) {
	for _, l := range e.entries(name) {
		if l.once == nil {
			l.call(args...)
			continue
		}
		l.once.Do(func() {
			e.remove(name, func(other entry) bool { return other.once == l.once })
			l.call(args...)
		})
	}
}

func (e *emitter) RemoveListener(name EventName, l Listener) bool {
	if l == nil {
		return false
	}
	code := reflect.ValueOf(l).Pointer()
	return e.remove(name, func(other entry) bool { return other.code == code })
}

// remove removes the first listener that is the one, and reports whether there was
// one.
func (e *emitter) remove(name EventName, is func(entry) bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.events[name]
	i := slices.IndexFunc(list, is)
	if i < 0 {
		return false
	}
	e.set(name, slices.Concat(list[:i], list[i+1:]))
	return true
}

func (e *emitter) RemoveAllListeners(name EventName) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, had := e.events[name]
	delete(e.events, name)
	return had
}

func (e *emitter) Clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = nil
}

func (e *emitter) Listeners(name EventName) (listeners []Listener) {
	for _, l := range e.entries(name) {
		listeners = append(listeners, l.call)
	}
	return listeners
}

func (e *emitter) ListenerCount(name EventName) int { return len(e.entries(name)) }

func (e *emitter) EventNames() (names []EventName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name := range e.events {
		names = append(names, name)
	}
	return names
}

func (e *emitter) Len() int { return len(e.EventNames()) }

func (e *emitter) GetMaxListeners() uint { return EventDefaultMaxListeners }
func (e *emitter) SetMaxListeners(uint)  {}
