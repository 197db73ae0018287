package raw

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/gobwas/ws/wsutil"
)

// Transport is a transport of Engine.IO.
type Transport uint8

// The transports.
const (
	WebSocket Transport = iota
	Polling
	Upgrade // Polling until the socket is connected, then WebSocket
)

func (t Transport) String() string { return [...]string{"websocket", "polling", "upgrade"}[t] }

// separator separates the packets of a payload.
const separator = "\x1e"

// polling is a session over HTTP long-polling: a goroutine polls, and each packet is
// sent with its own POST.
type polling struct {
	http        *http.Client
	header      http.Header
	url         string
	ctx         context.Context // ends with Client.Close
	cancel      context.CancelFunc
	ended       sync.WaitGroup // the polling goroutine
	stopPolling chan struct{}  // closed to end polling after the current request
}

// openPolling opens a session and starts polling.
func (c *Client) openPolling(url string, opts Options) error {
	p := &polling{
		http:   &http.Client{Transport: &http.Transport{DialContext: c.dialer(opts), DisableCompression: true}},
		header: opts.Header, url: url + "/socket.io/?EIO=4&transport=polling", stopPolling: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	c.polling, c.close = p, p.close
	body, err := p.request(http.MethodGet, nil)
	if err != nil {
		return err
	}
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "0")), &open); err != nil {
		return fmt.Errorf("%w: %.100q", errPacket, body)
	}
	c.sid = open.SID
	p.url += "&sid=" + open.SID
	p.ended.Go(func() { c.poll(p) })
	return nil
}

func (p *polling) close() {
	p.cancel()
	p.ended.Wait()
	p.http.CloseIdleConnections()
}

func (p *polling) request(method string, body io.Reader) (string, error) {
	r, err := http.NewRequestWithContext(p.ctx, method, p.url, body)
	if err != nil {
		return "", err
	}
	for name, values := range p.header {
		r.Header[name] = values
	}
	resp, err := p.http.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("raw: status %d: %.200s", resp.StatusCode, b)
	}
	return string(b), err
}

// send posts a packet and its attachments.
func (p *polling) send(text string, attachments [][]byte) {
	b := bytes.NewBufferString(text)
	for _, a := range attachments {
		b.WriteString(separator + "b" + base64.StdEncoding.EncodeToString(a))
	}
	p.request(http.MethodPost, b) // if it fails, polling ends too
}

// poll polls until the session ends or is upgraded.
func (c *Client) poll(p *polling) {
	for {
		select {
		case <-p.stopPolling:
			return
		default:
		}
		body, err := p.request(http.MethodGet, nil)
		if err != nil || !c.payload(body) {
			c.end()
			return
		}
	}
}

// payload handles the packets of a payload. It returns false after a close packet or
// an invalid one.
func (c *Client) payload(body string) bool {
	for packet := range strings.SplitSeq(body, separator) {
		if text, binary := strings.CutPrefix(packet, "b"); binary {
			data, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return false
			}
			c.attachment(data)
		} else if packet == "1" || c.packet(packet) != nil {
			return false
		}
	}
	return true
}

// upgrade upgrades the session from polling to a WebSocket.
func (c *Client) upgrade(ctx context.Context, url string, opts Options) error {
	conn, r, err := c.dial(ctx, url+"&sid="+c.sid, opts)
	if err != nil {
		return err
	}
	if err := probe(conn, r); err != nil {
		conn.Close()
		return err
	}
	close(c.polling.stopPolling)
	c.polling.ended.Wait() // the server answers the open poll when it receives the probe
	c.writing.Lock()
	defer c.writing.Unlock()
	c.polling.close()
	c.polling = nil
	c.useWebSocket(conn, r)
	return wsutil.WriteClientText(conn, []byte("5"))
}

// probe sends the probe of an upgrade and waits for its answer.
func probe(w io.Writer, r io.Reader) error {
	if err := wsutil.WriteClientText(w, []byte("2probe")); err != nil {
		return err
	}
	answer, err := wsutil.ReadServerText(readWriter{r, w})
	if err == nil && string(answer) != "3probe" {
		err = fmt.Errorf("%w: probe answered with %.100q", errPacket, answer)
	}
	return err
}

type readWriter struct {
	io.Reader
	io.Writer
}
