package engineiotest

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
)

func polledBinary(msg []byte) string { return "b" + base64.StdEncoding.EncodeToString(msg) }

func (c *Conn) openPolling() error {
	body, err := c.get(c.t.Context())
	if err != nil {
		return err
	}
	open, rest, more := strings.Cut(body, "\x1e")
	if err := c.opened(open); err != nil {
		return err
	}
	if more {
		c.receivePayload(rest)
	}
	c.goroutines.Go(c.poll)
	return nil
}

func (c *Conn) receivePayload(body string) {
	for p := range strings.SplitSeq(body, "\x1e") {
		if data, ok := strings.CutPrefix(p, "b"); ok {
			b, err := base64.StdEncoding.DecodeString(data)
			if err != nil {
				c.finish(End{Err: err})
				return
			}
			c.put(Message{Data: b, Binary: true})
			continue
		}
		c.receive(p)
	}
}

// poll polls until the connection ends or is upgraded.
func (c *Conn) poll() {
	defer close(c.polled)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.goroutines.Go(func() {
		select {
		case <-c.ended:
			cancel()
		case <-ctx.Done():
		}
	})
	for {
		select {
		case <-c.stopPoll:
			return
		case <-c.ended:
			return
		default:
		}
		body, err := c.get(ctx)
		if err != nil {
			c.finish(End{Err: err})
			return
		}
		c.receivePayload(body)
	}
}

func (c *Conn) get(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.target("polling"), nil)
	if err != nil {
		return "", err
	}
	return c.do(r)
}

func (c *Conn) post(body string) error {
	r, err := http.NewRequest(http.MethodPost, c.target("polling"), strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	answer, err := c.do(r)
	if err == nil && answer != "ok" {
		err = fmt.Errorf("engineiotest: a POST was answered %.100q", answer)
	}
	return err
}

func (c *Conn) do(r *http.Request) (string, error) {
	for k, v := range c.opts.Header {
		r.Header[k] = v
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = &StatusError{Status: resp.StatusCode, Body: string(body)}
	}
	return string(body), err
}

// StatusError is an HTTP answer other than 200.
type StatusError struct {
	Status int
	Body   string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("engineiotest: answered %d %.200s", e.Status, e.Body)
}
