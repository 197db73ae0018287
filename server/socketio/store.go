package socketio

// stored is one of the values that packages keep with a socket: there are few,
// so a list does.
type stored struct {
	key, value any
	next       *stored
}

// Store keeps a value with the socket under a key, which like a context's
// should be of a type of the caller's own: so packages that work with the same
// sockets keep out of each other's way.
func (s *Socket) Store(key, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := s.stored; v != nil; v = v.next {
		if v.key == key {
			v.value = value
			return
		}
	}
	s.stored = &stored{key, value, s.stored}
}

// Load returns what was stored under the key, or nil.
func (s *Socket) Load(key any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := s.stored; v != nil; v = v.next {
		if v.key == key {
			return v.value
		}
	}
	return nil
}
