package engineio

import (
	"slices"
	"sync/atomic"
	"unsafe"
)

// form says how a session takes messages: bits, which are set when the session's
// transport is known. Without any it takes frames as they were made, the plain form.
type form uint8

const (
	formBase64    form = 1 << iota // binary messages are text: the handshake had b64
	formProtocol3                  // binary messages begin with their type
	formDeflated                   // large messages are compressed: the WebSocket has permessage-deflate
	formCount
)

// Forms is a set of forms of a [Message]. The zero value is the empty set.
type Forms uint8

// A set has a bit for each form.
const _ = Forms(1) << (formCount - 1)

func (f form) set() Forms { return 1 << f }

// Message is a list of frames that are sent in order and with no other frame between
// them. Each session takes it in one form, see the package documentation. A Message may
// be sent to any number of sessions of one server, at the same time and several times; it
// must not be copied.
type Message struct {
	plain []Frame
	built atomic.Pointer[builtForm]
	one   [1]Frame // plain, most often
}

// builtForm is an element of the list of a message's other forms.
type builtForm struct {
	form   form
	frames []Frame
	next   *builtForm
}

// NewMessage returns a message of one or more frames.
func NewMessage(first Frame, rest ...Frame) *Message {
	m := &Message{one: [1]Frame{first}}
	m.plain = m.one[:]
	if len(rest) > 0 {
		m.plain = append(m.plain, rest...)
	}
	return m
}

// Text returns the text of the first frame, which must be one from [FinishText]. It must not
// be changed.
func (m *Message) Text() []byte { return m.plain[0].payload()[1:] }

// in returns the message in a form. Goroutines that need a form at the same moment may
// each build it; all get the same.
func (m *Message) in(f form, srv *Server) []Frame {
	if f = srv.needed(m.plain, f); f == 0 {
		return m.plain
	}
	if frames := m.find(f); frames != nil {
		return frames
	}
	b := &builtForm{form: f, frames: m.build(f, srv)}
	for {
		b.next = m.built.Load()
		if frames := m.find(f); frames != nil { // another goroutine was faster
			return frames
		}
		if m.built.CompareAndSwap(b.next, b) {
			return b.frames
		}
	}
}

// find returns the frames of a form, or nil if they have not been built.
func (m *Message) find(f form) []Frame {
	for b := m.built.Load(); b != nil; b = b.next {
		if b.form == f {
			return b.frames
		}
	}
	return nil
}

// build makes the frames of a form. Frames that are the same in two forms are compressed
// once.
func (m *Message) build(f form, srv *Server) []Frame {
	rest := f &^ formDeflated
	if rest == 0 || rest == f {
		return srv.inForm(m.plain, f)
	}
	frames := slices.Clone(m.in(rest, srv))
	for i := range frames {
		if unsafe.SliceData(frames[i].wire) == unsafe.SliceData(m.plain[i].wire) {
			frames[i] = m.in(formDeflated, srv)[i]
		} else {
			frames[i] = srv.deflater.frame(frames[i])
		}
	}
	return frames
}

// inForm returns frames in a form.
func (srv *Server) inForm(frames []Frame, f form) []Frame {
	if f = srv.needed(frames, f); f == 0 {
		return frames
	}
	out := make([]Frame, len(frames))
	for i := range frames {
		out[i] = frames[i].in(f &^ formDeflated)
		if f&formDeflated != 0 { // the last step
			out[i] = srv.deflater.frame(out[i])
		}
	}
	return out
}

// needed returns the part of a form in which frames may be others than in the plain one.
// For most messages that is none: texts are the same for clients that take no binary
// messages, and messages are too short to be compressed.
func (srv *Server) needed(frames []Frame, f form) (need form) {
	if f == 0 {
		return 0
	}
	for i := range frames {
		switch {
		case !frames[i].text && f&^formDeflated != 0:
			return f
		case f&formDeflated != 0 && srv.deflater.compresses(&frames[i]):
			need = formDeflated
		}
	}
	return need
}

// Build builds the message's missing forms, so that [Batch.Add] need not do so while its
// caller holds a lock.
func (srv *Server) Build(m *Message, forms Forms) {
	for f := range formCount {
		if forms&f.set() != 0 {
			m.in(f, srv)
		}
	}
}

// Mixed reports whether any session takes messages in another form than the plain one.
// If it reports false, there is nothing to [Server.Build].
func (srv *Server) Mixed() bool { return srv.formed.Load() > 0 }

// Form returns the set that contains the form in which the session takes messages now.
// It changes at most once, when an upgrade ends.
func (s *Session) Form() Forms { return s.form().set() }

func (s *Session) form() form { return form(s.formBits.Load()) }

// setForm sets the session's form. Session.mu is held, or nobody else knows the session.
func (s *Session) setForm(f form) {
	if s.state == stateClosed {
		return
	}
	s.countForm(-1)
	s.formBits.Store(uint32(f))
	s.countForm(1)
}

// countForm counts the session among those that Mixed and Protocol3 look for.
func (s *Session) countForm(n int64) {
	f := s.form()
	if f != 0 {
		s.server.formed.Add(n)
	}
	if f&formProtocol3 != 0 {
		s.server.protocol3.Add(n)
	}
}

// formed returns frames that are sent to this session alone, in its form.
func (s *Session) formed(frames []Frame) []Frame {
	if f := s.form(); f != 0 {
		return s.server.inForm(frames, f)
	}
	return frames
}
