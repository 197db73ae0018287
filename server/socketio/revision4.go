package socketio

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/internal/urlquery"
	"github.com/puente-io/puente/server/socketio/packet"
)

// This file has what differs for clients of Engine.IO's protocol 3, which speak revision 4
// of Socket.IO's: JavaScript's 1.x and 2.x.
//
//	                   revision 5                      revision 4
//	namespace /        40{auth} ► 40{"sid"}            the server sends 40 when the session opens
//	others             40/a,{auth} ► 40/a,{"sid"}      40/a?token=x, ► 40/a,
//	refusal            44{"message","data"}            44"message", or 44 and only the data
//	id of a socket     the server's                    the client computes it, see ClientID

// ClientID returns the id that the client knows the socket by. It is [Socket.ID], except
// with a client of protocol 3, which computes the id from that of its session: the session
// id itself in the namespace "/", and "/name#" followed by it in others. Everybody who
// knows a session id can send as its client, so do not send a ClientID to other clients.
//
// For operators it is the name of a room that only this socket is in, as the socket's ID
// is.
func (s *Socket) ClientID() string {
	if id := clientAlias(s); id != "" {
		return id
	}
	return s.id
}

// clientAlias returns the ClientID of a socket if it is not the ID, otherwise "".
func clientAlias(s *Socket) string {
	session := s.client.session
	switch {
	case session.Protocol() == 4:
		return ""
	case s.nsName == packet.Root:
		return session.ID()
	}
	return s.nsName + "#" + session.ID()
}

// connectRoot connects the client of a new session to the namespace "/".
func (c *client) connectRoot() {
	c.admit(newSocket(c, packet.Packet{Type: packet.Connect, Namespace: packet.Root}))
}

// splitNamespace takes the query off a packet's namespace. It is what auth is in revision
// 5, with texts for values; of a repeated parameter the last counts.
func splitNamespace(p *packet.Packet) {
	name, _, _ := strings.Cut(p.Namespace, "#")
	name, query, _ := strings.Cut(name, "?")
	p.Namespace = name
	if p.Type != packet.Connect {
		return
	}
	p.Data = nil
	if query == "" {
		return
	}
	var names []string
	values := make(map[string]string)
	for name, value := range urlquery.All(query) {
		// Here and not by AppendQuote, so that two names do not become one.
		name, value = strings.ToValidUTF8(name, "\ufffd"), strings.ToValidUTF8(value, "\ufffd")
		if _, again := values[name]; !again {
			names = append(names, name)
		}
		values[name] = value
	}
	b := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, name) // valid UTF-8 can be encoded
		b, _ = jsontext.AppendQuote(append(b, ':'), values[name])
	}
	p.Data = append(b, '}')
}

// refusal4 returns the data of the packet that refuses a CONNECT: as on Node the error's
// data if it has any, otherwise its text. "Invalid namespace" is the same in both
// revisions.
func refusal4(err error, message string, data any) []byte {
	if errors.Is(err, errNamespace) {
		data = map[string]string{"message": message}
	}
	if data != nil {
		if text, _, err := AppendArg(nil, nil, data); err == nil {
			return text
		}
	}
	text, _, _ := AppendArg(nil, nil, message) // a string can be encoded
	return text
}

// hideQuery removes what may be a token from a handshake that goes to other servers.
func hideQuery(h *Handshake) {
	h.URL, _, _ = strings.Cut(h.URL, "?")
	for name := range h.Query {
		if name != "EIO" && name != "transport" {
			delete(h.Query, name)
		}
	}
}
