// Package sio is a minimal Socket.IO client (namespace "/") for load generation. It connects with a token, answers heartbeats,
// and passes packets on undecoded, as Engine.IO protocol 4 and Socket.IO protocol 5 have them; a client of another [Form]
// converts. It does not reconnect or upgrade.
package sio

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Errors of Handler.Closed, besides those of the connection.
var (
	ErrHandshake  = errors.New("sio: handshake refused")
	ErrConnect    = errors.New("sio: CONNECT refused")
	ErrDisconnect = errors.New("sio: disconnected by the server")
	ErrProtocol   = errors.New("sio: unexpected packet")
)

// Socket.IO packet types: the first byte of a packet (Socket.IO protocol, "Packet encoding").
const (
	Connect      = '0'
	Disconnect   = '1'
	Event        = '2'
	Ack          = '3'
	ConnectError = '4'
	BinaryEvent  = '5'
	BinaryAck    = '6'
)

// Handler handles the events of a client. The rules of loop.Handler apply.
type Handler interface {
	// Ready is called once, when CONNECT was answered.
	Ready(c Client)
	// Packet is called with each Socket.IO packet after that. It is valid until Packet returns.
	Packet(c Client, p []byte)
	// Attachment is called with each attachment of the preceding binary packet. It is valid until Attachment returns.
	Attachment(c Client, p []byte)
	// Closed is called at most once, as the last method, and not after Client.Close.
	Closed(c Client, err error)
}

// Form is what a WebSocket client negotiates and how it encodes packets.
type Form string

// The forms.
const (
	Text    Form = "text"    // packets are text
	Deflate Form = "deflate" // as Text, and the server compresses large messages (permessage-deflate, RFC 7692)
	Msgpack Form = "msgpack" // packets are MessagePack, as socket.io-msgpack-parser writes them; without attachments
	// Protocol3 is a client of Engine.IO protocol 3, as socket.io-client 1.x and 2.x are; without attachments. It must be
	// pinged for, see Client.Ping.
	Protocol3 Form = "protocol3"
)

// Forms returns all forms.
func Forms() []Form { return []Form{Text, Deflate, Msgpack, Protocol3} }

// Client is a Socket.IO connection. The rules of loop.Conn apply.
type Client interface {
	// Index returns the index that was passed to Dial.
	Index() int
	// Send queues a Socket.IO packet, such as `2["ping"]`.
	Send(p []byte)
	// SendAttachment queues an attachment of the preceding packet.
	SendAttachment(p []byte)
	// Ping sends a heartbeat if it is the client who sends them: in Protocol3.
	Ping()
	// Close closes the connection without a packet.
	Close()
}

// Options configures the connections of clients. Clients of one loop may share it.
type Options struct {
	// Node is the index of the server's address among the loop's.
	Node int
	// Host is the value of the Host header.
	Host string
	// Path is the path of the endpoint. Default "/socket.io/".
	Path string
	// Browser adds the headers of a browser, which servers may keep as long as the connection.
	Browser bool
	// Form is the form of WebSocket clients. Default Text.
	Form Form

	inflater inflater
	packer   packer
}

func (o *Options) path() string {
	if o.Path == "" {
		return "/socket.io/"
	}
	return o.Path
}

// head returns the request line and headers; the caller adds further headers and the empty line.
func (o *Options) head(method, query string) string {
	protocol := "4"
	if o.Form == Protocol3 {
		protocol = "3"
	}
	h := method + " " + o.path() + "?EIO=" + protocol + "&" + query + " HTTP/1.1\r\nHost: " + o.Host + "\r\n"
	if !o.Browser {
		return h
	}
	return h + "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: es-ES,es;q=0.9,en;q=0.8\r\n" +
		"Cache-Control: no-cache\r\n" +
		"Pragma: no-cache\r\n" +
		"Origin: http://" + o.Host + "\r\n" +
		"Cookie: session=5f2b1c0e9d8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a; theme=dark; locale=es; consent=2026-01-15T10%3A30%3A00Z\r\n"
}

// Token returns a JWT (HS256) for a user that is valid for a day.
func Token(secret, user string) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{"userId": user, "iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix()}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
}

// connectPacket returns a CONNECT packet with the token, if it is not "".
func connectPacket(token string) []byte {
	if token == "" {
		return []byte{Connect}
	}
	return fmt.Appendf(nil, `0{"token":%q}`, token)
}

// conversation is what a client has over either transport: how far it is with CONNECT.
type conversation struct {
	handler Handler
	token   string // until CONNECT is answered
	state   state
}

// received handles an Engine.IO message, which is a Socket.IO packet, for the client c.
func (v *conversation) received(c Client, p []byte) error {
	if v.state == ready {
		if len(p) > 0 && p[0] == Disconnect {
			return ErrDisconnect
		}
		v.handler.Packet(c, p)
		return nil
	}
	if err := answer(p); err != nil {
		return err
	}
	v.state, v.token = ready, ""
	v.handler.Ready(c)
	return nil
}

// answer returns an error unless p accepts CONNECT.
func answer(p []byte) error {
	switch {
	case len(p) > 0 && p[0] == Connect:
		return nil
	case len(p) > 0 && p[0] == ConnectError:
		return fmt.Errorf("%w: %s", ErrConnect, p[1:])
	}
	return fmt.Errorf("%w: CONNECT answered with %.100q", ErrProtocol, p)
}

// sessionID returns the sid in the body of an open packet.
func sessionID(p []byte) (string, error) {
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(p, &open); err != nil || open.SID == "" {
		return "", fmt.Errorf("%w: open packet %.100q", ErrProtocol, p)
	}
	return open.SID, nil
}
