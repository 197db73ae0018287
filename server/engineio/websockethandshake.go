package engineio

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// isUpgrade reports whether the request asks for another protocol. Proxies add
// to the Connection header: more names to the list, or lines of their own. The
// version of HTTP does not matter, as on Node: nginx speaks 1.0 to its upstreams
// unless it is configured otherwise.
func isUpgrade(r *http.Request) bool {
	if r.Header.Get("Upgrade") == "" {
		return false
	}
	for _, line := range r.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(name, " \t"), "upgrade") {
				return true
			}
		}
	}
	return false
}

// What is wrong with a WebSocket handshake, in the words of Node's server.
var (
	errMethod     = &HandshakeError{Code: CodeBadRequest, Message: "Invalid HTTP method", status: http.StatusMethodNotAllowed}
	errUpgrade    = &HandshakeError{Code: CodeBadRequest, Message: "Invalid Upgrade header"}
	errKey        = &HandshakeError{Code: CodeBadRequest, Message: "Missing or invalid Sec-WebSocket-Key header"}
	errVersion    = &HandshakeError{Code: CodeBadRequest, Message: "Missing or invalid Sec-WebSocket-Version header"}
	errProtocol   = &HandshakeError{Code: CodeBadRequest, Message: "Invalid Sec-WebSocket-Protocol header"}
	errExtensions = &HandshakeError{Code: CodeBadRequest, Message: "Invalid or unacceptable Sec-WebSocket-Extensions header"}
)

var webSocketKey = regexp.MustCompile(`^[+/0-9A-Za-z]{22}==$`)

// checkWebSocket checks a WebSocket handshake (RFC 6455, section 4.2.1).
func (srv *Server) checkWebSocket(r *http.Request) *HandshakeError {
	switch {
	case r.Method != http.MethodGet:
		return errMethod
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return errUpgrade
	case !webSocketKey.MatchString(r.Header.Get("Sec-WebSocket-Key")):
		return errKey
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return errVersion
	case !validProtocols(r.Header.Values("Sec-WebSocket-Protocol")):
		return errProtocol
	}
	_, wrong := srv.negotiate(r)
	return wrong
}

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// validProtocols reports whether the header, if it was sent, lists tokens that
// differ.
func validProtocols(header []string) bool {
	seen := make(map[string]bool)
	for _, line := range header {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.Trim(name, " \t")
			if seen[name] || !token.MatchString(name) {
				return false
			}
			seen[name] = true
		}
	}
	return true
}

// webSocketGUID is what the server proves to have read (section 1.3).
const webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// switchProtocols answers a handshake that checkWebSocket has found right, with
// the headers of w, the first of the client's subprotocols, as Node does, and the given
// extensions. It
// returns the connection and what the client has sent behind its request. If it
// fails, the client has been answered or the connection is closed.
func switchProtocols(w http.ResponseWriter, r *http.Request, extensions string, timeout time.Duration) (conn net.Conn, early []byte, err error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return nil, nil, errors.Join(errHijack, err)
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + webSocketGUID))
	var answer bytes.Buffer
	answer.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	answer.WriteString(base64.StdEncoding.EncodeToString(sum[:]))
	answer.WriteString("\r\n")
	if protocol, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ","); protocol != "" {
		answer.WriteString("Sec-WebSocket-Protocol: " + strings.Trim(protocol, " \t") + "\r\n")
	}
	if extensions != "" {
		answer.WriteString("Sec-WebSocket-Extensions: " + extensions + "\r\n")
	}
	w.Header().Write(&answer)
	answer.WriteString("\r\n")
	conn.SetWriteDeadline(time.Now().Add(timeout))
	if _, err = conn.Write(answer.Bytes()); err != nil {
		conn.Close()
		return nil, nil, err
	}
	conn.SetDeadline(time.Time{})
	// The reader's buffer is not kept.
	if n := rw.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		io.ReadFull(rw.Reader, early)
	}
	return conn, early, nil
}
