package engineio

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/puente-io/puente/server/engineio/internal/wsframe"
	"github.com/puente-io/puente/server/internal/urlquery"
)

// ServeHTTP handles all requests of the endpoint: handshakes, polls, posts,
// WebSockets and preflights.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	srv.boundBody(w, r)
	if srv.opts.CORS != nil && srv.opts.CORS.Apply(w, r) {
		return
	}
	upgrade := isUpgrade(r)
	query := lastValues(r)
	var p reservation
	defer p.release()
	s, refused := srv.verify(r, query, upgrade, &p)
	if refused != nil {
		srv.refused(r, refused)
		writeError(w, refused, upgrade)
		return
	}
	if upgrade {
		if wrong := srv.checkWebSocket(r); wrong != nil {
			if wrong == errVersion {
				w.Header().Set("Sec-WebSocket-Version", "13, 8")
			}
			writeError(w, wrong, true)
			return
		}
	}
	if s == nil && srv.opts.InitialHeaders != nil {
		srv.opts.InitialHeaders(w.Header(), r)
	}
	if srv.opts.Headers != nil {
		srv.opts.Headers(w.Header(), r)
	}
	switch {
	case s != nil && upgrade:
		srv.serveUpgrade(w, r, s)
	case s != nil:
		srv.servePolling(w, r, query, s)
	case upgrade:
		srv.openWebSocket(w, r, query, &p)
	default:
		srv.openPolling(w, r, query, &p)
	}
}

// lastValues decodes the query. Of a repeated parameter the last counts.
func lastValues(r *http.Request) func(string) string {
	values := make(map[string]string)
	for name, value := range urlquery.All(r.URL.RawQuery) {
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

// verify checks a request in the same order as Node. It returns the session that the
// request names, or nil for a handshake; for a valid one it reserves p.
func (srv *Server) verify(r *http.Request, query func(string) string, upgrade bool, p *reservation) (_ *Session, refused *HandshakeError) {
	transport := query("transport")
	known := transport == "polling" && !srv.opts.DisablePolling ||
		transport == "websocket" && !srv.opts.DisableWebSocket
	if !known {
		return nil, refuse(CodeUnknownTransport, nil)
	}
	if upgrade && srv.opts.CheckOrigin != nil && !srv.opts.CheckOrigin(r) {
		return nil, refuse(CodeForbidden, ErrOrigin)
	}
	if !upgrade && isJSONP(query) && !srv.admitsScript(r) {
		return nil, refuse(CodeForbidden, ErrOrigin)
	}
	if sid := query("sid"); sid != "" {
		s := srv.Session(sid)
		switch {
		case s == nil:
			return nil, refuse(CodeUnknownSID, nil)
		case !upgrade && transport != "polling", !upgrade && s.Transport() != transport:
			return nil, refuse(CodeBadRequest, nil)
		case upgrade && (transport != "websocket" || srv.opts.DisableUpgrades):
			return nil, refuse(CodeBadRequest, nil)
		case srv.protocolOf(query("EIO")) != s.Protocol():
			return nil, refuse(CodeBadRequest, nil)
		}
		return s, nil
	}
	switch {
	case r.Method != http.MethodGet:
		return nil, refuse(CodeBadHandshakeMethod, nil)
	case transport == "websocket" && !upgrade:
		return nil, refuse(CodeBadRequest, nil)
	}
	srv.mu.RLock()
	stopping := srv.refusing
	srv.mu.RUnlock()
	spoken := srv.protocolOf(query("EIO")) != 0
	// A request that cannot open a session counts against no limit, and takes nothing
	// from clients that share its address.
	if spoken && !stopping && (!upgrade || srv.checkWebSocket(r) == nil) {
		if *p, refused = srv.enterSession(r); refused != nil {
			return nil, refused
		}
	}
	if srv.opts.AllowRequest != nil {
		if err := srv.opts.AllowRequest(r); err != nil {
			return nil, refuse(CodeForbidden, err)
		}
	}
	if !spoken {
		srv.limits.protocols.Add(1)
		return nil, refuse(CodeUnsupportedProtocol, foreignProtocol(query("EIO")))
	}
	if stopping {
		return nil, overloaded(http.StatusServiceUnavailable, "Server shutting down", errStopping)
	}
	return nil, nil
}

// foreignProtocol returns, for the log, the clients that send this EIO.
func foreignProtocol(v string) error {
	switch v {
	case "3":
		return errors.New("EIO 3, a client of Socket.IO 1.x or 2.x")
	case "":
		return errors.New("no EIO, not a client of Socket.IO 1.x or later")
	}
	return fmt.Errorf("EIO %.16q", v)
}

// NewID returns 15 random bytes as 20 characters, as Node's servers name
// sessions and sockets.
func NewID() string {
	var b [15]byte
	rand.Read(b[:])
	return base64.URLEncoding.EncodeToString(b[:])
}

// newID returns an id of Options.NewID, or of NewID if that has none.
func (srv *Server) newID() (id string) {
	srv.observe(nil, func() { id = srv.opts.NewID() })
	if id == "" {
		return NewID()
	}
	return id
}

func (srv *Server) newSession(r *http.Request, query func(string) string, p *reservation) *Session {
	s := &Session{
		server: srv, id: srv.newID(), request: encodeRequest(r, srv.opts.MaxRequestBytes), origin: srv.originOf(r),
		from: p.take(), queue: queue{held: &srv.backlog.held},
	}
	var f form
	if query("b64") != "" || isJSONP(query) {
		f |= formBase64
	}
	if srv.protocolOf(query("EIO")) == 3 {
		f |= formProtocol3
		srv.protocol3Total.Add(1)
	}
	if f != 0 {
		s.setForm(f)
	}
	return s
}

// openPacket returns the open packet (section "Handshake").
func (srv *Server) openPacket(s *Session) Frame {
	upgrades := ""
	if s.ws == nil && !srv.opts.DisableUpgrades && !srv.opts.DisableWebSocket {
		upgrades = `"websocket"`
	}
	return controlFrame('0', fmt.Sprintf(
		`{"sid":"%s","upgrades":[%s],"pingInterval":%d,"pingTimeout":%d,"maxPayload":%d}`,
		s.id, upgrades, srv.opts.PingInterval.Milliseconds(), srv.opts.PingTimeout.Milliseconds(), srv.opts.MaxHTTPBufferSize))
}

// start sets the session's handler and registers the session. It returns ErrPanic, or
// ErrClosed if the server takes no new sessions; the session has ended then.
func (srv *Server) start(s *Session, r *http.Request) error {
	srv.sessionOpened(s)
	if !srv.callAccept(s, r) {
		srv.sessionClosed(s, s.earlyEnd())
		return ErrPanic
	}
	if !srv.add(s) {
		s.close(ReasonShutdown, nil)
		return ErrClosed
	}
	s.mu.Lock()
	if s.state == stateOpen {
		s.waitIn(s.heartbeat())
	}
	ended := s.state == stateClosed
	s.mu.Unlock()
	if ended { // by its handler, before it could be removed
		srv.remove(s)
	}
	return nil
}

// callAccept reports false if accept has panicked.
func (srv *Server) callAccept(s *Session, r *http.Request) (ok bool) {
	defer s.recovered()
	s.setHandler(srv.accept(s, r))
	return true
}

func (srv *Server) openPolling(w http.ResponseWriter, r *http.Request, query func(string) string, p *reservation) {
	s := srv.newSession(r, query, p)
	if c := srv.opts.Cookie; c != nil {
		cookie := *c
		cookie.Value = s.id
		http.SetCookie(w, &cookie)
	}
	// The client may be back with its first packet before this answer has been
	// written to the end, so the session starts before.
	switch srv.start(s, r) {
	case nil:
	case ErrPanic:
		w.WriteHeader(http.StatusInternalServerError)
		return
	default:
		writeError(w, refuse(CodeForbidden, nil), false)
		return
	}
	frames := []Frame{srv.openPacket(s)}
	if srv.opts.InitialPacket != nil {
		frames = append(frames, TextFrame(srv.opts.InitialPacket))
	}
	buf := payloads.Get().(*bytes.Buffer)
	defer recyclePayload(buf)
	e := s.encodingOf(frames)
	e.appendTo(buf, frames)
	if err := srv.writePayload(w, r, e.contentType(), called(jsonpCall(query), buf), true); err != nil {
		s.close(ReasonTransportError, err)
	}
}

// openWebSocket opens a session, or, as Node does with a request for polling
// that asks for an upgrade, only the WebSocket.
func (srv *Server) openWebSocket(w http.ResponseWriter, r *http.Request, query func(string) string, p *reservation) {
	if query("transport") != "websocket" {
		srv.refuseWebSocket(w, r)
		return
	}
	c, early, err := srv.acceptWebSocket(w, r, connOpen)
	if err != nil {
		return
	}
	s := srv.newSession(r, query, p)
	c.session, s.ws = s, c
	s.setForm(s.form() | c.form())
	s.queue.push(srv.openPacket(s))
	if srv.opts.InitialPacket != nil {
		s.queue.push(TextFrame(srv.opts.InitialPacket))
	}
	if srv.start(s, r) != nil {
		c.free()
		return
	}
	s.flush(false)
	if !srv.serve(c, early) {
		c.free()
	}
}

// refuseWebSocket opens a WebSocket and closes it.
func (srv *Server) refuseWebSocket(w http.ResponseWriter, r *http.Request) {
	extensions, _ := srv.negotiate(r)
	conn, _, err := switchProtocols(w, r, extensions, srv.opts.UpgradeTimeout)
	if err != nil {
		return
	}
	conn.SetWriteDeadline(time.Now().Add(lingerTime))
	conn.Write(wsframe.AppendClose(nil, wsframe.CloseNormal))
	conn.Close()
}

// quoteJSON returns s as a JSON string, without the escapes that are for HTML.
func quoteJSON(s string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s)
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
