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
// reads slowly is seen to read. An answer that must differ from the frames is a copy of
// its own, and counts instead of them.
type answer struct {
	session *Session
	frames  []Frame
	call    string // JSONP: the start of the call that the answer consists of
	to      http.ResponseWriter
	rc      *http.ResponseController
	written int // bytes of the piece

	// Guarded by Session.mu.
	counted []Frame // the frames that count as held
	copied  int     // the size of the copy
	begun   bool    // it is being written: before, it is not the client that is waited for
}

// newAnswer takes frames from the queue. The session stays behind until they are
// written. Session.mu is held.
func newAnswer(s *Session, w http.ResponseWriter, call string) *answer {
	a := &answer{session: s, call: call, to: w, rc: http.NewResponseController(w)}
	size := maxPayload
	if s.probe != nil {
		size = smallPayload
	}
	a.counted = s.queue.take(size)
	a.frames = slices.Clone(a.counted)
	s.fallBehind()
	s.took(0)
	s.settle()
	s.polling.answer = a
	return a
}

// write writes the answer and counts the frames out.
func (a *answer) write(r *http.Request) error {
	err := a.writeTo(r)
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	a.release()
	if s.polling.answer != a { // a client that has read all of it has polled again
		return err
	}
	s.polling.answer = nil
	s.took(a.written)
	if s.ws == nil && s.queue.empty() {
		s.catchUp()
	}
	return err
}

// release ends the counting of what the answer holds. Session.mu is held, here and in
// abort and size.
func (a *answer) release() {
	held := &a.session.server.backlog.held
	for i := range a.counted {
		a.counted[i].uncount(held)
	}
	held.Add(-int64(a.copied))
	a.counted, a.copied = nil, 0
}

// abort interrupts the writing.
func (a *answer) abort() {
	a.release()
	a.rc.SetWriteDeadline(time.Unix(1, 0))
}

// size returns how many bytes the answer holds.
func (a *answer) size() int {
	n := a.copied
	for i := range a.counted {
		n += a.counted[i].Len()
	}
	return n
}

// begin begins the writing: of a copy, if body is not nil. The caller does not hold
// Session.mu.
func (a *answer) begin(body []byte) {
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	a.begun = true
	s.took(0)
	if body == nil {
		return
	}
	a.release()
	a.frames = nil
	if s.state != stateClosed {
		a.copied = cap(body)
		s.server.backlog.held.Add(int64(a.copied))
	}
}

func (a *answer) writeTo(r *http.Request) error {
	srv := a.session.server
	compress := slices.ContainsFunc(a.frames, func(f Frame) bool { return !f.plain })
	e := a.session.encodingOf(a.frames)
	length := e.length(a.frames)
	var body []byte // if it is not the frames
	if a.call != "" {
		var buf bytes.Buffer
		e.appendTo(&buf, a.frames)
		body = called(a.call, &buf)
		length = len(body)
	}
	h := a.to.Header()
	h.Set("Content-Type", e.contentType())
	pollingHeaders(h, r)
	if compress && srv.opts.CompressionThreshold >= 0 && length >= srv.opts.CompressionThreshold {
		if encoding := negotiateEncoding(r.Header.Get("Accept-Encoding")); encoding != "" {
			h.Set("Content-Encoding", encoding)
			write := func(w io.Writer) { w.Write(body) }
			if body == nil {
				write = func(w io.Writer) { e.writeTo(w, a.frames) }
			}
			var buf bytes.Buffer
			compressTo(&buf, encoding, write)
			body = buf.Bytes()
			length = len(body)
		}
	}
	h.Set("Content-Length", strconv.Itoa(length))
	a.begin(body)
	a.extend()
	defer a.rc.SetWriteDeadline(time.Time{})
	var err error
	if body != nil {
		_, err = a.Write(body)
	} else {
		err = e.writeTo(a, a.frames)
	}
	if err != nil {
		return err
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
