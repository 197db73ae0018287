package socketio

// Key names a value of type T that a program keeps with each socket, on this
// server only. A recovered socket has none of those of the socket before, see Before. Two keys never collide. Its methods are safe for concurrent use.
type Key[T any] struct {
	_ byte // so that every key has an address of its own
}

// NewKey returns a new key, usually kept in a variable of the package that uses
// it.
func NewKey[T any]() *Key[T] { return new(Key[T]) }

// Set keeps a value with the socket, instead of the previous one.
func (k *Key[T]) Set(s *Socket, v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kept := s.kept; kept != nil; kept = kept.next {
		if kept.key == any(k) {
			kept.value = v
			return
		}
	}
	s.kept = &kept{k, v, s.kept}
}

// Get returns the value that Set keeps with the socket; ok reports whether there
// is one.
func (k *Key[T]) Get(s *Socket) (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return k.in(s.kept)
}

// Before returns the value that was kept with the socket that a recovered socket goes on
// with; ok reports whether there is one. It has none after the functions of OnConnect, and
// on another server than before.
func (k *Key[T]) Before(s *Socket) (v T, ok bool) {
	if s.rec == nil {
		return v, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return k.in(s.rec.before)
}

// in returns the value in a list.
func (k *Key[T]) in(list *kept) (v T, ok bool) {
	for ; list != nil; list = list.next {
		if list.key == any(k) {
			v, _ = list.value.(T)
			return v, true
		}
	}
	return v, false
}

// kept is a list of the values that programs keep with a socket; there are few.
type kept struct {
	key, value any
	next       *kept
}
