package engineiotest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// webSocket writes masked frames and reads the server's.
type webSocket struct {
	conn net.Conn
	r    *bufio.Reader
}

// errClosed is a close frame of the server.
type errClosed struct{ code int }

func (e errClosed) Error() string { return fmt.Sprintf("engineiotest: closed with %d", e.code) }

func (c *Conn) dialWebSocket() (*webSocket, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(c.opts.Header), TLSConfig: c.opts.TLS, NetDial: c.opts.Dial}
	conn, r, _, err := d.Dial(ctx, "ws"+strings.TrimPrefix(c.target("websocket"), "http"))
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = bufio.NewReader(conn)
	}
	return &webSocket{conn, r}, nil
}

func (c *Conn) openWebSocket() error {
	w, err := c.dialWebSocket()
	if err != nil {
		return err
	}
	c.ws = w
	_, open, err := w.read()
	if err == nil {
		err = c.opened(string(open))
	}
	if err != nil {
		w.conn.Close()
		return err
	}
	c.goroutines.Go(c.readWebSocket)
	return nil
}

func (w *webSocket) writeText(s string) error   { return w.write(ws.OpText, []byte(s)) }
func (w *webSocket) writeBinary(b []byte) error { return w.write(ws.OpBinary, b) }

func (w *webSocket) write(op ws.OpCode, payload []byte) error {
	b, err := ws.CompileFrame(ws.MaskFrame(ws.NewFrame(op, true, payload)))
	if err != nil {
		return err
	}
	w.conn.SetWriteDeadline(time.Now().Add(Wait))
	_, err = w.conn.Write(b)
	return err
}

// read returns the next message and answers what comes before it.
func (w *webSocket) read() (ws.OpCode, []byte, error) {
	for {
		h, err := ws.ReadHeader(w.r)
		if err != nil {
			return 0, nil, err
		}
		if !h.Fin || h.Masked || h.Rsv != 0 {
			return 0, nil, errors.New("engineiotest: a frame in pieces, masked, or with reserved bits")
		}
		p := make([]byte, h.Length)
		if _, err := io.ReadFull(w.r, p); err != nil {
			return 0, nil, err
		}
		switch h.OpCode {
		case ws.OpPing:
			w.write(ws.OpPong, p)
		case ws.OpPong:
		case ws.OpClose:
			w.write(ws.OpClose, p)
			code := 1005
			if len(p) >= 2 {
				code = int(p[0])<<8 | int(p[1])
			}
			return 0, nil, errClosed{code}
		default:
			return h.OpCode, p, nil
		}
	}
}

func (c *Conn) readWebSocket() {
	w := c.ws
	defer w.conn.Close()
	for {
		c.stopHere()
		op, p, err := w.read()
		var closed errClosed
		switch {
		case errors.As(err, &closed):
			c.finish(End{Code: closed.code})
			return
		case err != nil:
			c.finish(End{Err: err})
			return
		case op == ws.OpBinary:
			c.put(Message{Data: p, Binary: true})
		default:
			c.receive(string(p))
		}
	}
}

// Upgrade moves the connection from long-polling to a WebSocket, as the
// protocol document's section "Upgrade" says. Messages may be sent meanwhile.
func (c *Conn) Upgrade() {
	c.t.Helper()
	if err := c.upgrade(); err != nil {
		c.t.Fatal("engineiotest: upgrade: ", err)
	}
}

func (c *Conn) upgrade() error {
	w, err := c.dialWebSocket()
	if err != nil {
		return err
	}
	if err := w.writeText("2probe"); err != nil {
		return err
	}
	if _, p, err := w.read(); err != nil || string(p) != "3probe" {
		w.conn.Close()
		return fmt.Errorf("the probe was answered %q: %w", p, err)
	}
	close(c.stopPoll)
	<-c.polled
	c.sending.Lock()
	err = w.writeText("5")
	c.ws = w
	c.sending.Unlock()
	c.goroutines.Go(c.readWebSocket)
	return err
}

// WriteRaw writes bytes to the WebSocket as they are.
func (c *Conn) WriteRaw(b []byte) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.ws == nil {
		return errors.New("engineiotest: no WebSocket")
	}
	c.ws.conn.SetWriteDeadline(time.Now().Add(Wait))
	_, err := c.ws.conn.Write(b)
	return err
}

// StopReading stops reading from the WebSocket, like a client that hangs: the
// connection stays open. At most one more message is read.
func (c *Conn) StopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
}

// stopHere waits for the connection to end after reading was stopped.
func (c *Conn) stopHere() {
	c.mu.Lock()
	stopped := c.stopped
	c.mu.Unlock()
	if stopped {
		<-c.ended
	}
}
