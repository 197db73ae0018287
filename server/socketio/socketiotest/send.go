package socketiotest

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// Emit sends an event.
func (c *Client) Emit(event string, args ...any) {
	c.t.Helper()
	c.emit("2", "", append([]any{event}, args...))
}

// Send sends an event that asks for an acknowledgement and does not wait for it.
func (c *Client) Send(event string, args ...any) *Pending {
	c.t.Helper()
	c.mu.Lock()
	id := c.nextID
	c.nextID++
	c.mu.Unlock()
	c.emit("2", strconv.Itoa(id), append([]any{event}, args...))
	return &Pending{client: c, id: id, event: event}
}

// EmitAck sends an event, waits for its acknowledgement and returns the
// acknowledgement's arguments. Events received meanwhile are kept for Expect.
func (c *Client) EmitAck(event string, args ...any) []json.RawMessage {
	c.t.Helper()
	return c.Send(event, args...).Ack()
}

// Pending is an event that was sent with [Client.Send].
type Pending struct {
	client *Client
	id     int
	event  string
}

// Ack waits for the acknowledgement and returns its arguments. It may be called
// once. Events received meanwhile are kept for Expect.
func (p *Pending) Ack() (args []json.RawMessage) {
	c := p.client
	c.t.Helper()
	c.await(engineiotest.Wait, fmt.Sprintf("an acknowledgement of %q", p.event), func() (ok bool) {
		if args, ok = c.acks[p.id]; ok {
			delete(c.acks, p.id)
		}
		return ok
	})
	return args
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
func (c *Client) Leave() { c.sendPacket("1"+c.nsp, nil) }

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
	c.sendPacket(kind+c.nsp+id+c.json(list), attachments)
}
