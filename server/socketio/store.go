package socketio

// stored is a list of the values that packages keep with a socket; there are
// few.
type stored struct {
	key, value any
	next       *stored
}

// Store keeps a value with the socket under a key. Like a context key it should
// have a type of the calling package, so that packages do not collide.
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

// Load returns the value stored under the key, or nil.
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
