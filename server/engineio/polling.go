package engineio

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"github.com/puente-io/puente/server/engineio/packet"
)

// polling is the long-polling transport of a session: the client's GET waits
// for packets, its POST brings some. At most one of each is under way.
// Session.mu guards it.
type polling struct {
	poll    *poll
	posting bool
	body    *http.ResponseController // of a POST whose body is being read
	answer  *answer                  // a large one that is being written
	awaited chan struct{}            // if not nil: closed by the next poll
}

// poll is a waiting GET.
type poll struct {
	ready   chan struct{} // has a token when there is something to do
	last    Frame         // ends the poll if it is set
	call    string        // JSONP: the start of the call that the answer consists of
	late    bool          // came while a WebSocket was being tried
	closing bool          // came when the session was closing already
	refused bool          // sent after the upgrade packet, processed before it
}

// overtaking is how long a request may be behind another of the same client
// that was sent later: each has a connection and a goroutine of its own.
const overtaking = 50 * time.Millisecond

func (p *polling) wake() {
	if p.poll != nil {
		select {
		case p.poll.ready <- struct{}{}:
		default:
		}
	}
}

// end answers the poll with one last packet.
func (p *polling) end(last Frame) {
	if p.poll != nil {
		p.poll.last = last
		p.wake()
	}
}

// abort interrupts a POST whose body is still being read, and a poll whose answer is
// still being written.
func (p *polling) abort() {
	if p.body != nil {
		p.body.SetReadDeadline(time.Unix(1, 0))
	}
	if p.answer != nil {
		p.answer.abort()
	}
}

// release answers the poll with what is queued, or with a noop.
func (p *polling) release() { p.end(noopFrame) }

// retire ends the poll of a session that has been upgraded. A client finishes
// its polls before it upgrades, so one that came after the probe was sent after
// the upgrade packet, and is answered as if it had been read after it too.
func (p *polling) retire() {
	p.release()
	if p.poll != nil {
		p.poll.refused = p.poll.late
	}
}

func (srv *Server) servePolling(w http.ResponseWriter, r *http.Request, query func(string) string, s *Session) {
	switch r.Method {
	case http.MethodGet:
		s.servePoll(w, r, &poll{ready: make(chan struct{}, 1), call: s.jsonpCall(query)})
	case http.MethodPost:
		s.servePost(w, r, s.jsonpCall(query) != "")
	default:
		w.WriteHeader(http.StatusInternalServerError) // as Node
	}
}

func (s *Session) servePoll(w http.ResponseWriter, r *http.Request, p *poll) {
	s.mu.Lock()
	overlap, upgraded, ended := s.polling.poll != nil, s.ws != nil, s.state == stateClosed
	if overlap || upgraded || ended {
		s.mu.Unlock()
		switch {
		case upgraded:
			writeError(w, refuse(CodeBadRequest, nil), false)
		case ended:
			writeError(w, refuse(CodeUnknownSID, nil), false)
		default:
			s.close(ReasonTransportError, errOverlap)
			w.WriteHeader(http.StatusBadRequest)
		}
		return
	}
	s.polling.poll = p
	s.took(0)
	if !s.queue.empty() || s.state == stateClosing {
		s.polling.wake()
	}
	if s.polling.awaited != nil {
		close(s.polling.awaited)
		s.polling.awaited = nil
	}
	p.late, p.closing = s.probe != nil, s.state == stateClosing
	s.mu.Unlock()

	waits(w, r)
	var impatient <-chan time.Time
	if p.late {
		impatient = time.After(noopAfter)
	}
	select {
	case <-p.ready:
	case <-impatient:
		s.mu.Lock()
		s.polling.release()
		s.mu.Unlock()
	case <-r.Context().Done():
		s.mu.Lock()
		upgraded := s.ws != nil
		if upgraded {
			s.polling.poll = nil // otherwise it stays, so that no other takes its place in a session that ends
		}
		s.mu.Unlock()
		if !upgraded {
			s.close(ReasonTransportError, errPollGone)
		}
		return
	}
	s.answerPoll(w, r, p)
}

// answerPoll takes what is queued, or as much of it as one payload may have, and
// sends it.
func (s *Session) answerPoll(w http.ResponseWriter, r *http.Request, p *poll) {
	buf := payloads.Get().(*bytes.Buffer)
	defer recyclePayload(buf)
	s.mu.Lock()
	s.polling.poll = nil
	if p.refused {
		s.mu.Unlock()
		s.server.boundAnswer(w)
		writeError(w, refuse(CodeBadRequest, nil), false)
		return
	}
	upgraded := s.ws != nil
	if s.state != stateClosed && !upgraded && s.queue.bytes > smallPayload {
		a := newAnswer(s, w, p.call)
		s.mu.Unlock()
		if err := a.write(r); err != nil {
			s.close(ReasonTransportError, err)
		}
		return
	}
	// The close packet goes by itself, as Node sends it: the official client takes
	// one at the end of a payload for the reason of the end, before it looks at
	// what a packet of the same payload says.
	closing := s.state == stateClosing && !upgraded && s.queue.empty()
	compress := false
	e := encodingText
	if s.state != stateClosed && !upgraded && !s.queue.empty() {
		frames := s.queue.all()
		e = s.encodingOf(frames)
		e.appendTo(buf, frames)
		compress = slices.ContainsFunc(frames, func(f Frame) bool { return !f.plain })
	}
	if s.state != stateClosed && !upgraded {
		s.took(s.queue.bytes)
		s.queue.recycle()
		s.settle()
		s.catchUp()
	}
	if buf.Len() == 0 {
		frames := []Frame{noopFrame}
		switch {
		case closing && p.closing && s.Protocol() == 3:
			frames = append(frames, closeFrame) // as Node does, which says nothing more than the latter
		case closing:
			frames[0] = closeFrame
		case p.last.wire != nil:
			frames[0] = p.last
		}
		e = s.encodingOf(frames)
		e.appendTo(buf, frames)
	}
	s.mu.Unlock()
	if closing {
		s.close(ReasonForcedClose, nil) // before the client can be back
	}
	if err := s.server.writePayload(w, r, e.contentType(), called(p.call, buf), compress); err != nil && !upgraded {
		s.close(ReasonTransportError, err)
	}
}

// payloads are buffers for the bodies of requests and responses.
var payloads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func recyclePayload(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 {
		b.Reset()
		payloads.Put(b)
	}
}

// pollingHeaders sets the headers of all answers of the transport.
func pollingHeaders(h http.Header, r *http.Request) {
	h.Set("Cache-Control", "no-store")
	if ua := r.UserAgent(); strings.Contains(ua, ";MSIE") || strings.Contains(ua, "Trident/") {
		h.Set("X-XSS-Protection", "0") // old browsers take the body for an attack
	}
}

// writePayload answers a poll.
func (srv *Server) writePayload(w http.ResponseWriter, r *http.Request, contentType string, body []byte, compress bool) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	pollingHeaders(h, r)
	if compress && srv.opts.CompressionThreshold >= 0 && len(body) >= srv.opts.CompressionThreshold {
		if enc := negotiateEncoding(r.Header.Get("Accept-Encoding")); enc != "" {
			h.Set("Content-Encoding", enc)
			buf := payloads.Get().(*bytes.Buffer)
			defer recyclePayload(buf)
			compressTo(buf, enc, func(w io.Writer) { w.Write(body) })
			body = buf.Bytes()
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	srv.boundAnswer(w)
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (s *Session) servePost(w http.ResponseWriter, r *http.Request, jsonp bool) {
	s.mu.Lock()
	overlap := s.polling.posting
	// While the session is closing the client may not know it: what it sends is
	// taken and dropped, since it would take an error for the reason of the end.
	refused := overlap || s.state == stateClosed || s.ws != nil
	if !refused {
		s.polling.posting = true
	}
	s.mu.Unlock()
	if overlap {
		s.close(ReasonTransportError, errOverlap)
	}
	if refused {
		w.Header().Set("Connection", "close") // answer at once, whatever is left of the body
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	defer func() {
		s.mu.Lock()
		s.polling.posting = false
		s.mu.Unlock()
		s.server.boundAnswer(w)
	}()
	octets := r.Header.Get("Content-Type") == "application/octet-stream"
	if octets && s.Protocol() == 4 {
		s.close(ReasonTransportError, errContentType)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	body := payloads.Get().(*bytes.Buffer)
	defer recyclePayload(body)
	switch err := s.readBody(w, r, body); {
	case errors.Is(err, errTooLarge):
		s.endPost(w, r, http.StatusRequestEntityTooLarge, err)
		return
	case err != nil && !s.Open():
		panic(http.ErrAbortHandler) // cut off, as on Node
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.endPost(w, r, http.StatusRequestTimeout, err)
		return
	case err != nil:
		s.endPost(w, r, http.StatusBadRequest, err)
		return
	}
	payload, sent := body.Bytes(), true
	if jsonp {
		payload, sent = posted(payload)
	}
	var err error
	if sent {
		err = s.receivePayload(payload, octets)
	}
	switch {
	case err == ErrPanic: // which has closed the session
		w.WriteHeader(http.StatusInternalServerError)
		return
	case err != nil:
		s.close(ReasonParseError, err)
		if s.Protocol() == 4 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html") // text/plain makes some browsers offer a download
	h.Set("Content-Length", "2")
	pollingHeaders(h, r)
	io.WriteString(w, "ok")
}

// maxDrained is how much of a body that is too large is read and thrown away
// after the answer: closing with bytes unread resets the connection, and the
// client that is still sending would not get to read it.
const maxDrained = 4 << 20

// endPost ends the session because of a body that is too large, too slow or
// broken, as Node's server does since engine.io 6.6.13: a client that goes on
// would never learn which of its packets were lost. The session ends first, so
// that the client's next request already finds it closed.
func (s *Session) endPost(w http.ResponseWriter, r *http.Request, status int, err error) {
	s.close(ReasonTransportError, err)
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", "0")
	rc := http.NewResponseController(w)
	drain := status == http.StatusRequestEntityTooLarge && rc.EnableFullDuplex() == nil
	w.WriteHeader(status)
	if drain && rc.Flush() == nil && rc.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		io.CopyN(io.Discard, r.Body, maxDrained)
	}
}

// readBody reads a body that is not too large. It stops reading a larger one; the HTTP
// server then closes the connection, but may look for the body's end first: the deadline
// of boundBody stays until that is found.
func (s *Session) readBody(w http.ResponseWriter, r *http.Request, body *bytes.Buffer) error {
	if !s.admits(r.ContentLength) {
		return errTooLarge
	}
	rc := http.NewResponseController(w)
	if !s.awaitBody(rc) {
		return ErrClosed
	}
	var err error
	more := true
	for more && err == nil {
		limit := s.MaxMessageBytes()
		_, err = body.ReadFrom(io.LimitReader(r.Body, int64(limit+1-body.Len())))
		more = body.Len() > limit && s.admits(int64(body.Len()))
	}
	s.awaitBody(nil)
	if err != nil {
		return errors.Join(errBody, err)
	}
	if body.Len() > s.MaxMessageBytes() {
		return errTooLarge
	}
	return nil
}

// awaitBody records the request whose body is awaited, so that the end of the session
// interrupts it. It reports false if the session has ended.
func (s *Session) awaitBody(rc *http.ResponseController) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling.body = rc
	return s.state != stateClosed
}

// repaired returns text with a U+FFFD for each maximal part of a character that is not
// UTF-8, as a browser or Node would, since the text may be passed on to WebSockets, which
// would be closed.
func repaired(text []byte) []byte {
	if !utf8.Valid(text) {
		text, _ = unicode.UTF8.NewDecoder().Bytes(text)
	}
	return text
}

// receivePayload handles the packets of a body. octets says that it is not text.
func (s *Session) receivePayload(body []byte, octets bool) error {
	bye := false
	var err error
	then, ok := s.deliver(func() {
		err = s.decodePayload(body, octets, func(p packet.Packet) bool {
			bye = p.Type == packet.Close
			return !bye && s.receive(p)
		})
	})
	s.server.do(then)
	if !ok {
		return ErrPanic
	}
	if bye {
		s.awaitPoll()
		s.closedByClient()
	}
	return err
}

// awaitPoll waits until a poll is there, or has had the time to come: the client
// that closes has one under way, which is to end with a noop, not with an error.
func (s *Session) awaitPoll() {
	s.mu.Lock()
	if s.polling.poll != nil || s.state != stateOpen || s.ws != nil {
		s.mu.Unlock()
		return
	}
	came := make(chan struct{})
	s.polling.awaited = came
	s.mu.Unlock()
	select {
	case <-came:
	case <-time.After(overtaking):
	}
}
