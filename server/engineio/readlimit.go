package engineio

// LargeMessageHandler may be implemented by a [Handler] that changes how large
// messages may be, see [Session.SetMaxMessageBytes].
type LargeMessageHandler interface {
	// HandleLargeMessage is called before the session ends because of a message or
	// body beyond SetMaxMessageBytes, but within Options.MaxHTTPBufferSize, of which
	// at most the beginning has been read. It may block, as HandleMessage may, until
	// what came before has been handled. Then the bound is looked at again.
	HandleLargeMessage(s *Session)
}

// SetMaxMessageBytes bounds, in bytes, each message and body that the client
// sends from now on. A larger one ends the session, as one beyond
// Options.MaxHTTPBufferSize does, which is the bound if n is 0 or more than that.
func (s *Session) SetMaxMessageBytes(n int) {
	if n >= s.server.opts.MaxHTTPBufferSize {
		n = 0
	}
	s.maxMessage.Store(int64(n))
}

// MaxMessageBytes is the bound of the moment.
func (s *Session) MaxMessageBytes() int {
	if n := s.maxMessage.Load(); n > 0 {
		return int(n)
	}
	return s.server.opts.MaxHTTPBufferSize
}

// admits reports whether the client may send a message of n bytes. It may block.
func (s *Session) admits(n int64) bool {
	if n <= int64(s.MaxMessageBytes()) {
		return true
	}
	h, ok := s.handler.(LargeMessageHandler)
	if !ok || n > int64(s.server.opts.MaxHTTPBufferSize) {
		return false
	}
	s.handleLargeMessage(h)
	return n <= int64(s.MaxMessageBytes())
}

func (s *Session) handleLargeMessage(h LargeMessageHandler) {
	defer s.recovered()
	h.HandleLargeMessage(s)
}
