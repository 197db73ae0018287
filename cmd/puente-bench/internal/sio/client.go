// Package sio is a raw Socket.IO client (Engine.IO protocol 4, Socket.IO protocol 5, namespace "/") for load generation: it
// connects with a token, answers heartbeats, and hands packets over as the bytes that came. It decodes nothing that the
// load does not need, does not reconnect and does not upgrade.
package sio

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Errors that Handler.Closed may report, besides those of the connection.
var (
	ErrHandshake  = errors.New("sio: handshake refused")
	ErrConnect    = errors.New("sio: CONNECT refused")
	ErrDisconnect = errors.New("sio: disconnected by the server")
	ErrProtocol   = errors.New("sio: unexpected packet")
)

// Socket.IO packet types as they stand first in a packet (Socket.IO protocol, "Packet encoding").
const (
	Connect      = '0'
	Disconnect   = '1'
	Event        = '2'
	Ack          = '3'
	ConnectError = '4'
	BinaryEvent  = '5'
	BinaryAck    = '6'
)

// Handler receives what happens to a client, under the rule of loop.Handler.
type Handler interface {
	// Ready is called once, when CONNECT has been answered.
	Ready(c Client)
	// Packet is called with each Socket.IO packet after that. It is valid until Packet returns.
	Packet(c Client, p []byte)
	// Attachment is called with each attachment of the binary packet before it.
	Attachment(c Client, p []byte)
	// Closed is called at most once, last, unless the client was closed through Client.Close.
	Closed(c Client, err error)
}

// Client is one Socket.IO connection. Its methods follow the rule of loop.Conn.
type Client interface {
	// Index is the number under which the client was made.
	Index() int
	// Send queues one Socket.IO packet, such as `2["ping"]`.
	Send(p []byte)
	// SendAttachment queues one attachment of the packet before it.
	SendAttachment(p []byte)
	// Close drops the connection.
	Close()
}

// Options says how clients of a run connect.
type Options struct {
	// Node is the index of the server's address among the loop's.
	Node int
	// Host is the value of the Host header.
	Host string
	// Path is the path of the endpoint. Default "/socket.io/".
	Path string
	// Browser adds the headers that a browser sends, which servers keep for as long as the connection lives.
	Browser bool
}

func (o Options) path() string {
	if o.Path == "" {
		return "/socket.io/"
	}
	return o.Path
}

// head returns a request up to its last header field; the caller adds its own and the empty line.
func (o Options) head(method, query string) string {
	h := method + " " + o.path() + "?EIO=4&" + query + " HTTP/1.1\r\nHost: " + o.Host + "\r\n"
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

// Token returns a JWT (HS256) for a user, valid for a day.
func Token(secret, user string) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{"userId": user, "iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix()}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
}

// connectPacket returns the CONNECT packet that carries the token, if there is one.
func connectPacket(token string) []byte {
	if token == "" {
		return []byte{Connect}
	}
	return fmt.Appendf(nil, `0{"token":%q}`, token)
}

// answer judges the reply to CONNECT.
func answer(p []byte) error {
	switch {
	case len(p) > 0 && p[0] == Connect:
		return nil
	case len(p) > 0 && p[0] == ConnectError:
		return fmt.Errorf("%w: %s", ErrConnect, p[1:])
	}
	return fmt.Errorf("%w: %.100q instead of an answer to CONNECT", ErrProtocol, p)
}

// sessionID takes the sid from the body of an open packet.
func sessionID(p []byte) (string, error) {
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(p, &open); err != nil || open.SID == "" {
		return "", fmt.Errorf("%w: open packet %.100q", ErrProtocol, p)
	}
	return open.SID, nil
}
