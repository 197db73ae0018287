package engineio

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	// smallPayload is up to how many bytes a payload is copied to be written at once.
	smallPayload = 64 << 10
	// maxPayload is how many bytes one payload has at most, unless its last frame
	// is larger than what is left: the client asks for the rest. While it upgrades
	// it has smallPayload, since the upgrade waits for the answer to be read.
	maxPayload = 256 << 10
)

// answer is the answer to a poll that brings much. It writes the frames as they
// are, which other clients' queues may hold too, in pieces, so that a client that
// reads slowly is seen to read.
type answer struct {
	session *Session
	frames  []Frame
	call    string // JSONP: the start of the call that the answer consists of
	to      http.ResponseWriter
	rc      *http.ResponseController
	written int // bytes of the piece
}

// newAnswer takes frames from the queue. The session stays behind until they are
// written. Session.mu is held.
func newAnswer(s *Session, w http.ResponseWriter, call string) *answer {
	a := &answer{session: s, call: call, to: w, rc: http.NewResponseController(w)}
	size := maxPayload
	if s.probe != nil {
		size = smallPayload
	}
	a.frames = s.queue.take(size)
	s.fallBehind()
	s.took(0)
	s.settle()
	s.polling.answer = a.rc
	return a
}

// write writes the answer and counts the frames out.
func (a *answer) write(r *http.Request) error {
	err := a.writeTo(r)
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range a.frames {
		a.frames[i].uncount(&s.server.backlog.held)
	}
	s.polling.answer = nil
	s.took(a.written)
	if s.ws == nil && s.queue.empty() {
		s.catchUp()
	}
	return err
}

func (a *answer) writeTo(r *http.Request) error {
	srv := a.session.server
	compress := slices.ContainsFunc(a.frames, func(f Frame) bool { return !f.plain })
	e := a.session.encodingOf(a.frames)
	write := e.writeTo
	length := e.length(a.frames)
	if a.call != "" {
		var buf bytes.Buffer
		e.appendTo(&buf, a.frames)
		body := called(a.call, &buf)
		length = len(body)
		write = func(out io.Writer, _ []Frame) error { _, err := out.Write(body); return err }
	}
	h := a.to.Header()
	h.Set("Content-Type", e.contentType())
	pollingHeaders(h, r)
	var out io.Writer = a
	var compressor io.WriteCloser
	encoding := ""
	if compress && srv.opts.CompressionThreshold >= 0 && length >= srv.opts.CompressionThreshold {
		encoding = negotiateEncoding(r.Header.Get("Accept-Encoding"))
	}
	if encoding == "" {
		h.Set("Content-Length", strconv.Itoa(length))
	} else { // in chunks: how long it will be is not known
		h.Set("Content-Encoding", encoding)
		var done func()
		compressor, done = newCompressor(a, encoding)
		defer done()
		out = compressor
	}
	a.extend()
	defer a.rc.SetWriteDeadline(time.Time{})
	if err := write(out, a.frames); err != nil {
		return err
	}
	if compressor != nil {
		if err := compressor.Close(); err != nil {
			return err
		}
	}
	if err := a.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// Write writes in pieces. Each must be taken within CloseTimeout, and shows that
// the client reads.
func (a *answer) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := b[:min(len(b), pieceSize-a.written)]
		m, err := a.to.Write(piece)
		n += m
		if err != nil {
			return n, err
		}
		b = b[m:]
		if a.written += m; a.written >= pieceSize {
			a.session.mu.Lock()
			a.session.took(a.written)
			a.session.mu.Unlock()
			a.written = 0
			a.extend()
		}
	}
	return n, nil
}

// extend gives the client the time for another piece. A session that has been
// closed meanwhile has none.
func (a *answer) extend() {
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateClosed {
		a.rc.SetWriteDeadline(time.Now().Add(s.server.opts.CloseTimeout))
	}
}
