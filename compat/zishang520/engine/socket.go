package engine

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/puente-io/puente/compat/zishang520/events"
	"github.com/puente-io/puente/compat/zishang520/packet"
	"github.com/puente-io/puente/compat/zishang520/transports"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/engineio"
)

type socket struct {
	events.EventEmitter
	session *engineio.Session
}

func (s *socket) Id() string            { return s.session.ID() }
func (s *socket) Protocol() int         { return s.session.Protocol() }
func (s *socket) RemoteAddress() string { return s.session.RemoteAddr() }

func (s *socket) Request() *types.HttpContext {
	r := s.session.Request()
	u, err := url.ParseRequestURI(r.URL)
	if err != nil {
		u = &url.URL{Path: r.URL}
	}
	if r.Secure {
		u.Scheme = "https"
	}
	request := &http.Request{
		Method: http.MethodGet, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.Header, Host: r.Header.Get("Host"), RequestURI: r.URL, RemoteAddr: r.RemoteAddr, TLS: r.TLS,
	}
	return types.NewHttpContext(nil, request.WithContext(s.session.Context()))
}

type transport string

func (t transport) Name() string { return string(t) }

func (s *socket) Transport() transports.Transport { return transport(s.session.Transport()) }

func (s *socket) ReadyState() string {
	if s.session.Open() {
		return "open"
	}
	return "closed"
}

func (s *socket) Upgraded() bool {
	return s.session.Transport() == transports.WEBSOCKET && s.session.Request().Query().Get("transport") == transports.POLLING
}

func (s *socket) Send(r io.Reader, _ *packet.Options, sent SendCallback) Socket {
	frame, err := message(r)
	if err == nil && s.session.Send(frame) == nil && sent != nil {
		sent(s.Transport())
	}
	return s
}

func message(r io.Reader) (engineio.Frame, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return engineio.Frame{}, err
	}
	switch r.(type) {
	case *types.StringBuffer, *strings.Reader:
		return engineio.TextFrame(b), nil
	}
	return engineio.BinaryFrame(b), nil
}

func (s *socket) Write(r io.Reader, options *packet.Options, sent SendCallback) Socket {
	return s.Send(r, options, sent)
}

func (s *socket) Close(bool) { s.session.Close() }

// receive emits a message of the client.
func (s *socket) receive(data []byte, binary bool) {
	buffer := types.NewStringBuffer(bytes.Clone(data))
	if binary {
		buffer = types.NewBytesBuffer(bytes.Clone(data))
	}
	s.Emit("data", buffer)
	s.Emit("message", buffer)
}
