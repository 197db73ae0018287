package compat_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

const (
	// answerTimeout is how long an answer may take; no right answer depends on it.
	answerTimeout = 30 * time.Second
	// wsKey is the Sec-WebSocket-Key of every handshake: RFC 6455's own example.
	wsKey = "dGhlIHNhbXBsZSBub25jZQ=="
	// maxPending is the number of unread answers above which a connection is closed.
	maxPending = 1024
)

// hiddenHeaders describe the connection, or repeat what the body shows.
var hiddenHeaders = []string{
	"Connection", "Content-Length", "Date", "Keep-Alive", "Sec-Websocket-Accept", "Transfer-Encoding", "Upgrade",
}

// conn is a client connection of a transcript: one request, then WebSocket messages if it was upgraded.
// Its reader goroutine renders everything that arrives, and ends with the connection.
type conn struct {
	line    string   // of the request
	head    []string // of the request
	net     net.Conn
	method  string
	answers chan answer
	joined  sync.WaitGroup
}

// dial opens a connection and sends the request.
func dial(addr, line string, head []string, body *string) (*conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	method, path, _ := strings.Cut(line, " ")
	c := &conn{line: line, head: head, net: nc, method: method, answers: make(chan answer, maxPending)}
	if method == "WS" {
		method = "GET"
		head = append([]string{
			"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + wsKey,
		}, head...)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, addr)
	framed := false
	for _, h := range head {
		name, _, _ := strings.Cut(strings.ToLower(h), ":")
		framed = framed || name == "content-length" || name == "transfer-encoding"
		b.WriteString(h + "\r\n")
	}
	if !framed && (body != nil || method == "POST" || method == "PUT") {
		n := 0
		if body != nil {
			n = len(*body)
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n", n)
	}
	b.WriteString("\r\n")
	if body != nil {
		b.WriteString(*body)
	}
	if b.Len() <= 64<<10 {
		nc.Write(b.Bytes()) // an error shows as a missing answer
	} else { // the server may answer or close before it has read everything
		c.joined.Go(func() { nc.Write(b.Bytes()) })
	}
	c.joined.Go(c.read)
	return c, nil
}

// close closes the connection and waits for its reader.
func (c *conn) close() {
	c.net.Close()
	c.joined.Wait()
}

// next returns the next answer, or false if none arrives within answerTimeout.
func (c *conn) next() (answer, bool) {
	select {
	case a := <-c.answers:
		return a, true
	case <-time.After(answerTimeout):
		return answer{"(no answer)"}, false
	}
}

// deliver queues an answer. If maxPending are queued already, it closes the connection and returns false.
func (c *conn) deliver(a answer) bool {
	select {
	case c.answers <- a:
		return true
	default:
		c.net.Close()
		return false
	}
}

func (c *conn) read() {
	br := bufio.NewReader(c.net)
	method := c.method
	if method == "WS" {
		method = "GET"
	}
	res, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		c.deliver(answer{"< eof"})
		return
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		if c.deliver(renderHead(res)) {
			c.readFrames(br, negotiated(res.Header.Get("Sec-WebSocket-Extensions")))
		}
		return
	}
	body, err := readBody(res)
	a := renderHead(res)
	switch {
	case err != nil:
		a = append(a, "<< (cut off) "+showBody(string(body)))
	case res.Header.Get("Content-Type") == "application/octet-stream":
		a = append(a, "<b "+showBytes(body))
	case len(body) > 0:
		a = append(a, "<< "+showBody(showMsgpacks(string(body))))
	}
	c.deliver(a)
	c.net.Close()
}

func readBody(res *http.Response) ([]byte, error) {
	defer res.Body.Close()
	if res.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(res.Body)
	}
	zr, err := gzip.NewReader(res.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zr)
}

func renderHead(res *http.Response) answer {
	a := answer{"< " + strconv.Itoa(res.StatusCode)}
	if res.StatusCode == http.StatusSwitchingProtocols {
		sum := sha1.Sum([]byte(wsKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if got := res.Header.Get("Sec-Websocket-Accept"); got != base64.StdEncoding.EncodeToString(sum[:]) {
			a = append(a, "< Sec-WebSocket-Accept: (wrong) "+got)
		}
	}
	var lines []string
	for name, values := range res.Header {
		if slices.Contains(hiddenHeaders, name) {
			continue
		}
		for _, v := range values {
			lines = append(lines, "< "+name+": "+show(v))
		}
	}
	slices.Sort(lines)
	return append(a, lines...)
}

// readFrames renders messages until the connection ends or a close frame arrives, which it echoes.
func (c *conn) readFrames(br *bufio.Reader, z *inflater) {
	var message []byte
	var opcode ws.OpCode
	var compressed bool
	for {
		h, err := ws.ReadHeader(br)
		if err != nil {
			c.deliver(answer{"< eof"})
			return
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(br, payload); err != nil {
			c.deliver(answer{"< eof"})
			return
		}
		first := h.OpCode == ws.OpText || h.OpCode == ws.OpBinary
		if h.Masked || h.Rsv != 0 && !(h.Rsv == rsv1 && first && z != nil) {
			c.deliver(answer{fmt.Sprintf("< (broken frame: masked %v, rsv %d)", h.Masked, h.Rsv)})
			return
		}
		switch h.OpCode {
		case ws.OpClose:
			c.deliver(answer{renderClose(payload)})
			c.sendFrame(ws.OpClose, payload)
			c.net.Close()
			return
		case ws.OpPing, ws.OpPong:
			name := map[ws.OpCode]string{ws.OpPing: "ping", ws.OpPong: "pong"}[h.OpCode]
			if !c.deliver(answer{strings.TrimSpace(fmt.Sprintf("< %s % x", name, payload))}) {
				return
			}
			continue
		case ws.OpText, ws.OpBinary:
			message, opcode, compressed = payload, h.OpCode, h.Rsv == rsv1
		case ws.OpContinuation:
			message = append(message, payload...)
		}
		if !h.Fin {
			continue
		}
		a := renderMessage(opcode, message)
		if compressed {
			a = z.render(opcode, message)
		}
		if !c.deliver(a) {
			return
		}
	}
}

func renderMessage(op ws.OpCode, data []byte) answer {
	if op == ws.OpText {
		return answer{strings.TrimSuffix("<< "+showBody(string(data)), " ")}
	}
	if packet, ok := showMsgpack(data); ok {
		return answer{"<m " + packet}
	}
	return answer{strings.TrimSpace("<b " + showBody(fmt.Sprintf("% x", data)))}
}

func renderClose(payload []byte) string {
	if len(payload) < 2 {
		return "< close 1005"
	}
	return strings.TrimSpace(fmt.Sprintf("< close %d %s", binary.BigEndian.Uint16(payload), show(string(payload[2:]))))
}

// send performs a step that follows the request.
func (c *conn) send(op, text string) error {
	switch op {
	case ">>":
		return c.sendFrame(ws.OpText, []byte(text))
	case ">z":
		return c.sendCompressed(ws.OpText, []byte(text))
	case ">b", ">x", ">zb":
		data, err := parseBytes(text)
		if err != nil {
			return err
		}
		switch op {
		case ">b":
			return c.sendFrame(ws.OpBinary, data)
		case ">zb":
			return c.sendCompressed(ws.OpBinary, data)
		}
		_, err = c.net.Write(data)
		return err
	}
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "eof":
		return c.net.Close()
	case "close":
		if rest == "" {
			return c.sendFrame(ws.OpClose, nil)
		}
		code, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		return c.sendFrame(ws.OpClose, ws.NewCloseFrameBody(ws.StatusCode(code), ""))
	}
	return fmt.Errorf("unknown step: %s %s", op, text)
}

func (c *conn) sendFrame(op ws.OpCode, payload []byte) error {
	return c.writeFrame(ws.NewFrame(op, true, slices.Clone(payload)))
}

func (c *conn) writeFrame(f ws.Frame) error {
	err := ws.WriteFrame(c.net, ws.MaskFrameInPlace(f))
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil // the server closed first; its answer is compared
	}
	return err
}
