package engineio

// LargeMessageHandler may be implemented by a [Handler] that changes how large
// messages may be, see [Session.SetMaxMessageBytes].
type LargeMessageHandler interface {
	// HandleLargeMessage is called when a message or body exceeds SetMaxMessageBytes
	// but not Options.MaxHTTPBufferSize, before more than its beginning is read. It may
	// block, as HandleMessage may, until earlier messages are handled, and may call
	// SetMaxMessageBytes. If the message still exceeds the limit, the session ends.
	HandleLargeMessage(s *Session)
}

// SetMaxMessageBytes bounds, in bytes, each message and body that the client sends from
// now on; a larger one ends the session. If n is 0 or above Options.MaxHTTPBufferSize,
// that is the bound.
func (s *Session) SetMaxMessageBytes(n int) {
	if n >= s.server.opts.MaxHTTPBufferSize {
		n = 0
	}
	s.maxMessage.Store(int64(n))
}

// MaxMessageBytes returns the current bound of each message and body, see
// [Session.SetMaxMessageBytes].
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
