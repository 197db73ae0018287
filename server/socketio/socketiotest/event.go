package socketiotest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Emit sends an event.
func (c *Client) Emit(event string, args ...any) {
	c.t.Helper()
	c.emit("2", "", append([]any{event}, args...))
}

// EmitAck sends an event, waits for its acknowledgement and returns the
// acknowledgement's arguments. Events received meanwhile are kept for Expect.
func (c *Client) EmitAck(event string, args ...any) []json.RawMessage {
	c.t.Helper()
	id := c.nextID
	c.nextID++
	c.emit("2", strconv.Itoa(id), append([]any{event}, args...))
	for {
		if ack, ok := c.acks[id]; ok {
			delete(c.acks, id)
			return ack
		}
		if e, ok := c.read(); ok {
			c.events = append(c.events, e)
		}
	}
}

// Ack acknowledges an event.
func (c *Client) Ack(e Event, args ...any) {
	c.t.Helper()
	if e.id == "" {
		c.t.Fatalf("socketiotest: %q asks for no acknowledgement", e.Name)
	}
	c.emit("3", e.id, args)
}

// Leave disconnects from the namespace.
func (c *Client) Leave() { c.SendText("1" + c.nsp) }

func (c *Client) emit(kind, id string, args []any) {
	c.t.Helper()
	var attachments [][]byte
	list := make([]any, len(args)) // never null in JSON
	for i, a := range args {
		if b, ok := a.([]byte); ok {
			a = map[string]any{"_placeholder": true, "num": len(attachments)}
			attachments = append(attachments, b)
		}
		list[i] = a
	}
	if len(attachments) > 0 {
		kind = fmt.Sprintf("%c%d-", kind[0]+3, len(attachments))
	}
	c.SendText(kind + c.nsp + id + c.json(list))
	for _, a := range attachments {
		c.SendBinary(a)
	}
}

// Next returns the next event, whatever its name.
func (c *Client) Next() Event {
	c.t.Helper()
	if len(c.events) > 0 {
		e := c.events[0]
		c.events = c.events[1:]
		return e
	}
	for {
		if e, ok := c.read(); ok {
			return e
		}
	}
}

// Expect returns the next event and fails the test if it has another name.
func (c *Client) Expect(event string) Event {
	c.t.Helper()
	e := c.Next()
	if e.Name != event {
		c.t.Fatalf("socketiotest: got the event %q with %s, want %q", e.Name, e.Args, event)
	}
	return e
}

// ExpectDisconnect waits until the server disconnects the socket, and fails the
// test if another event comes first.
func (c *Client) ExpectDisconnect() {
	c.t.Helper()
	if len(c.events) > 0 {
		c.t.Fatalf("socketiotest: got the event %q, want a disconnect", c.events[0].Name)
	}
	if text := c.Text(); text != "1"+c.nsp {
		c.t.Fatalf("socketiotest: got %.200q, want a disconnect", text)
	}
}

// read reads one packet; ok reports whether it is an event.
func (c *Client) read() (e Event, ok bool) {
	c.t.Helper()
	text := c.Text()
	kind, rest := c.packet(text)
	if kind == '5' || kind == '6' {
		count, after, _ := strings.Cut(rest, "-")
		n, err := strconv.Atoi(count)
		if err != nil {
			c.t.Fatalf("socketiotest: %.200q has no count of attachments", text)
		}
		for range n {
			m := c.Conn.Next()
			if !m.Binary {
				c.t.Fatalf("socketiotest: got %.200q, want an attachment", m.Data)
			}
			e.Attachments = append(e.Attachments, m.Data)
		}
		kind, rest = kind-3, after
	}
	start := strings.IndexByte(rest, '[')
	if start < 0 || kind != '2' && kind != '3' {
		c.t.Fatalf("socketiotest: got %.200q, want an event", text)
	}
	if err := json.Unmarshal([]byte(rest[start:]), &e.Args); err != nil {
		c.t.Fatalf("socketiotest: %.200q: %v", text, err)
	}
	e.id = rest[:start]
	if kind == '3' {
		id, err := strconv.Atoi(e.id)
		if err != nil {
			c.t.Fatalf("socketiotest: %.200q has no acknowledgement id", text)
		}
		c.acks[id] = append([]json.RawMessage{}, e.Args...)
		return e, false
	}
	if len(e.Args) == 0 || json.Unmarshal(e.Args[0], &e.Name) != nil {
		c.t.Fatalf("socketiotest: %.200q has no name", text)
	}
	e.Args = e.Args[1:]
	return e, true
}
