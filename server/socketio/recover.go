package socketio

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/recovery"
	"github.com/puente-io/puente/server/socketio/packet"
)

// RecoveryFunc decides whether a client that was away gets back the rooms that its socket
// was in, without the socket's own, or only some of them. It is called after the
// middleware. If it reports false the client gets a new socket, without rooms and data.
type RecoveryFunc func(ctx context.Context, s *Socket, rooms []string) (keep []string, ok bool)

// ExpiredFunc is called for a client that was away and will not be recovered any more. ctx
// ends when [Server.Close] stops waiting for handlers.
type ExpiredFunc func(ctx context.Context, e ExpiredSession)

// ExpiredSession is the socket of a client that was away.
type ExpiredSession struct {
	// ID is the socket's id.
	ID string
	// Rooms are the rooms that it was in, without its own.
	Rooms []string
	// Data is its data, see [Socket.Data].
	Data any
	// Ended says that the program disconnected it, or refused or could not recover it, before
	// [RecoveryOptions].Window had passed.
	Ended bool
}

// socketRecovery is what a socket has for recovery. It is owned by the goroutine that
// decides about CONNECT, but for handled and session, which the log's lock guards.
type socketRecovery struct {
	pid, offset string          // what the client asks for; "" if it does not
	claimed     *storedSession  // that it will go on with
	previous    <-chan struct{} // closed when the handlers of the socket before have returned
	handled     chan struct{}   // closed when its own disconnect handlers have returned
	session     *storedSession  // its own, when CONNECT is answered
	before      *kept           // of the socket before, until the OnConnect functions have returned; guarded by Socket.mu
}

// recoverable reports whether the socket has a session. The log's lock is held.
func (s *Socket) recoverable() bool { return s.rec != nil && s.rec.session != nil }

// Recovered reports whether the client goes on with an earlier socket: it has the id,
// rooms and data of that one, and the client has got, or will get, all events in between.
func (s *Socket) Recovered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recovered
}

// readResumption takes the secret and the offset out of what the client sent with CONNECT.
// Nobody else may see the secret.
func (s *Socket) readResumption() {
	r := s.rec
	rest, found := []byte{'{'}, false
	d := jsontext.NewDecoder(bytes.NewReader(s.auth.JSON), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return
	}
	for d.PeekKind() == '"' {
		name, _ := d.ReadValue()
		name = slices.Clone(name)
		value, err := d.ReadValue()
		if err != nil {
			return
		}
		var into *string
		switch string(name) {
		case `"pid"`:
			into, found = &r.pid, true
		case `"offset"`:
			into = &r.offset
		}
		if into != nil {
			if text, err := jsontext.AppendUnquote(nil, value); err == nil && value.Kind() == '"' {
				*into = string(text)
			}
			continue
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = append(append(append(rest, name...), ':'), value...)
	}
	if found {
		s.auth.JSON = append(rest, '}')
	}
}

// claimSession looks for the session that the client asks for. The socket has the session's id
// from then on.
func (s *Socket) claimSession() {
	r, log := s.rec, s.ns.log
	if r == nil || r.pid == "" {
		return
	}
	session, err := claim(log, r.pid)
	for range 100 {
		if !errors.Is(err, recovery.ErrConnected) {
			break
		}
		var old *Socket
		s.ns.locked(func() { old = session.Value.socket })
		if old != nil && !old.takeOver() {
			time.Sleep(time.Millisecond) // another goroutine is just ending it
		}
		session, err = claim(log, r.pid)
	}
	if err != nil {
		s.client.server.recoveries.failed(err)
		return
	}
	r.claimed = session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.recovered = session.ID, true
	s.data, s.dataJSON, r.before = session.Value.data, session.Value.dataJSON, session.Value.kept
}

// startAfresh makes a socket that is not recovered a new one.
func (s *Socket) startAfresh() {
	session := s.rec.claimed
	s.rec.claimed = nil
	s.ns.end(session)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.recovered = engineio.NewID(), false
	s.data, s.dataJSON, s.rec.before = nil, nil, nil
}

func claim(log *eventLog, pid string) (*storedSession, error) {
	log.Lock()
	defer log.Unlock()
	return log.Claim(pid)
}

// handlersWait is how long a recovered socket waits for the handlers of the socket before. A
// handler that never returns must not keep its client from being served.
const handlersWait = 10 * time.Second

// awaitPrevious waits until the handlers of the socket before have returned, so that handlers
// of one socket id do not overlap.
func (s *Socket) awaitPrevious() {
	if s.rec == nil || s.rec.previous == nil {
		return
	}
	late := time.NewTimer(handlersWait)
	defer late.Stop()
	select {
	case <-s.rec.previous:
	case <-late.C:
		s.client.server.Report("", errHandlersRun)
	}
}

var errHandlersRun = errors.New("socketio: a client is back, and handlers of its socket before have not returned")

// takeOver ends a socket whose client has come back over another connection, and that
// connection. It reports false if the socket has ended before.
func (s *Socket) takeOver() bool {
	ended := s.close(ReasonTakenOver)
	s.client.remove(s, true)
	s.client.session.CloseWithReason(engineio.ReasonForcedClose, nil)
	return ended
}

// unclaim leaves the session to a later CONNECT.
func (s *Socket) unclaim() {
	if r := s.rec; r != nil && r.claimed != nil {
		s.ns.locked(func() { s.ns.log.Return(r.claimed) })
	}
}

// checksRecovered reports whether middleware runs for a recovered socket.
func (s *Socket) checksRecovered() bool {
	return s.client.server.opts.Recovery.RunMiddleware || s.ns.checkRecovered.Load()
}

// allowRecovery asks the program which rooms a claimed session keeps.
func (s *Socket) allowRecovery() {
	if !s.recovered {
		return
	}
	f := s.ns.Handlers.set.Load().recovery
	if f == nil {
		return
	}
	session := s.rec.claimed
	var rooms, keep []string
	s.ns.locked(func() { rooms = session.Rooms() })
	ok := false
	if err := Guard(func() error { keep, ok = f(&s.ctx, s, slices.Clone(rooms)); return nil }); err != nil {
		s.client.server.failed(s, "", err)
	}
	if !ok {
		s.client.server.recoveries.refused.Add(1)
		s.startAfresh()
		return
	}
	var out []string
	s.ns.locked(func() {
		for _, room := range session.Rooms() {
			if session.Waits() && !slices.Contains(keep, room) { // else it has ended, and its rooms are not held
				s.ns.log.Exclude(session, room)
				out = append(out, room)
			}
		}
	})
	s.ns.unhold(out)
}

// resume makes the socket's session a connected one, with the namespace's lock held. If the
// client goes on with an earlier session it returns what it has missed, and the rooms. err
// says why it cannot; then resume must be called again after startAfresh.
func (s *Socket) resume() (missed []*engineio.Message, rooms []string, err error) {
	log, r := s.ns.log, s.rec
	now := &away{socket: s, handled: r.handled}
	session := r.claimed
	if session == nil {
		r.session = &storedSession{ID: s.id, PID: engineio.NewID(), Value: now}
		log.Begin(r.session)
		return nil, nil, nil
	}
	// With more bytes it would be disconnected again.
	events, err := log.Missed(session, r.offset, s.client.server.engine.Options().MaxBacklogBytes/2)
	switch {
	case err != nil:
		return nil, nil, err
	case !log.Resume(session):
		return nil, nil, recovery.ErrUnknown // ended meanwhile
	}
	r.previous = session.Value.handled
	session.Value = now
	r.session = session
	for _, e := range events {
		if m := s.client.replay(e); m != nil {
			missed = append(missed, m)
		}
	}
	return missed, session.Rooms(), nil
}

// store keeps the session of a socket that has disconnected, with the namespace's lock
// held, or ends it if the socket cannot come back. It reports whether the session is kept.
func (s *Socket) store(rooms []string) bool {
	session := s.rec.session
	s.mu.Lock()
	reason := s.reason
	v := session.Value
	v.socket, v.data, v.dataJSON, v.kept = nil, s.data, s.dataJSON, s.kept
	s.mu.Unlock()
	if !recoverable(reason) {
		s.ns.log.End(session)
		return false
	}
	session.Bytes = len(v.dataJSON)
	for _, room := range rooms {
		session.Bytes += len(room) + roomBytes
	}
	anonymous := s.ns.anonymous.Load() && !s.client.knows(s)
	return s.ns.log.Store(session, anonymous)
}

// roomBytes is what a room of a stored session counts besides its name.
const roomBytes = 64

// Away reports whether the socket has disconnected and its client may still come back and
// be recovered, or has come back already. Events for it are kept meanwhile.
func (s *Socket) Away() (away bool) {
	s.mu.Lock()
	lost := s.rec != nil && s.state == disconnected && recoverable(s.reason)
	s.mu.Unlock()
	if lost {
		s.ns.locked(func() { away = s.recoverable() && !s.rec.session.Ended() })
	}
	return away
}

// forsake disconnects the client of a socket that has disconnected by itself: it cannot come
// back, or is disconnected if it has.
func (s *Socket) forsake() {
	if !s.Away() {
		return
	}
	var heir *Socket
	s.ns.locked(func() { heir = s.rec.session.Value.socket })
	s.ns.end(s.rec.session)
	if heir != nil && heir != s {
		heir.disconnect()
	}
}

// keepEvent keeps an event to the socket alone and queues it.
func (s *Socket) keepEvent(b *engineio.Batch, p packet.Packet, uncompressed, volatile bool) error {
	log := s.ns.log
	log.Lock()
	defer log.Unlock()
	if !s.recoverable() || s.rec.session.Ended() {
		return ErrDisconnected
	}
	var at offset
	at.set(log, volatile)
	text := textMessage(&p, &at, uncompressed)
	to := s.rec.session.Value.socket // another than s if the client has come back, or nil
	if to == nil {
		to = s
	}
	m := text
	if to.client.msgpack {
		o := outgoing{packet: p, offset: at, uncompressed: uncompressed}
		if m = o.asMsgpack(); m == nil {
			return o.err
		}
	}
	if volatile {
		b.AddVolatile(to.client.session, m)
		return nil
	}
	log.AppendTo(s.rec.session, keptEvent(&p, text, uncompressed))
	b.Add(to.client.session, m) // if its connection is lost, the client has missed the event
	return nil
}

// keptEvent returns an event as it is kept: as the text that clients get.
func keptEvent(p *packet.Packet, text *engineio.Message, uncompressed bool) recovery.Event {
	e := recovery.Event{Text: text.Text(), Attachments: p.Attachments}
	if uncompressed {
		e.Flags = keptUncompressed
	}
	return e
}

const keptUncompressed = 1

// replay returns a kept event for a client again.
func (c *client) replay(e recovery.Event) *engineio.Message {
	uncompressed := e.Flags == keptUncompressed
	if c.msgpack {
		return c.repack(e, uncompressed)
	}
	text := engineio.TextFrame(e.Text)
	attachments := make([]engineio.Frame, len(e.Attachments))
	for i, a := range e.Attachments {
		attachments[i] = engineio.BinaryFrame(a)
	}
	return messageOf(text, attachments, uncompressed)
}

// repack is replay for a client whose packets are MessagePack. It returns nil for an event
// that cannot be sent as MessagePack.
func (c *client) repack(e recovery.Event, uncompressed bool) *engineio.Message {
	d := packet.Decoder{MaxAttachments: unlimited, MaxArguments: unlimited, MaxDepth: unlimited}
	p, _, err := d.Text(bytes.Clone(e.Text))
	for _, a := range e.Attachments {
		if err == nil {
			p, _, err = d.Binary(bytes.Clone(a))
		}
	}
	if err != nil {
		c.server.Report("", err)
		return nil
	}
	m, _ := msgpackMessage(&p, uncompressed)
	return m
}
