package socketiotest

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// Next returns the next event, whatever its name.
func (c *Client) Next() Event {
	c.t.Helper()
	return c.take("an event", func(Event) bool { return true })
}

// Expect returns the next event and fails the test if it has another name.
func (c *Client) Expect(event string) Event {
	c.t.Helper()
	e := c.take(event, func(Event) bool { return true })
	if e.Name != event {
		c.t.Fatalf("socketiotest: got the event %s, want %q", e, event)
	}
	return e
}

// Await returns the next event of this name. Others that come before it are kept
// for later calls.
func (c *Client) Await(event string) Event {
	c.t.Helper()
	return c.take(event, func(e Event) bool { return e.Name == event })
}

// Ignore drops all events of these names: those that come later, and those that have
// come already but that no method has returned yet.
func (c *Client) Ignore(events ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range events {
		c.ignored[name] = true
	}
	c.events = slices.DeleteFunc(c.events, func(e Event) bool { return c.ignored[e.Name] })
}

// ExpectNothing fails the test if an event comes within d.
func (c *Client) ExpectNothing(d time.Duration) {
	c.t.Helper()
	c.await(d, "", func() bool {
		if len(c.events) > 0 {
			c.t.Fatalf("socketiotest: got the event %s, want none", c.events[0])
		}
		return false
	})
}

// ExpectDisconnect waits until the server disconnects the socket, and fails the
// test if another event comes first. No other goroutine may read meanwhile.
func (c *Client) ExpectDisconnect() {
	c.t.Helper()
	c.mu.Lock()
	waiting := slices.Clone(c.events)
	c.mu.Unlock()
	if len(waiting) > 0 {
		c.t.Fatalf("socketiotest: got the event %s, want a disconnect", waiting[0])
	}
	if text, _ := c.nextPacket(); text != "1"+c.nsp {
		c.t.Fatalf("socketiotest: got %.200q, want a disconnect", text)
	}
}

// take waits for an event that fits, and removes it from those that were
// received.
func (c *Client) take(what string, fits func(Event) bool) (e Event) {
	c.t.Helper()
	c.await(engineiotest.Wait, what, func() bool {
		i := slices.IndexFunc(c.events, fits)
		if i < 0 {
			return false
		}
		e = c.events[i]
		c.events = slices.Delete(c.events, i, i+1)
		return true
	})
	return e
}

// await reads packets until done, called with c.mu held, returns true. After d it
// fails the test, or, if want is "", returns. Of several goroutines that wait one
// reads for all.
func (c *Client) await(d time.Duration, want string, done func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	for !done() {
		if !c.reading {
			if c.readOne(time.Until(deadline)) {
				continue
			}
		} else if c.otherReads(time.Until(deadline)) {
			continue
		}
		if want != "" {
			c.t.Fatalf("socketiotest: %s does not come; received and not asked for: %s", want, c.events)
		}
		return
	}
}

// otherReads waits until another goroutine has read something; it reports false
// after d. c.mu is held, but not while it waits.
func (c *Client) otherReads(d time.Duration) bool {
	changed := c.changed
	c.mu.Unlock()
	defer c.mu.Lock()
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case <-changed:
		return true
	case <-timeout.C:
		return false
	}
}

// readOne reads one packet, and reports false if none comes within d. c.mu is
// held, but not while it reads.
func (c *Client) readOne(d time.Duration) bool {
	c.t.Helper()
	c.reading = true
	c.mu.Unlock()
	defer func() { // even if the test has failed
		c.mu.Lock()
		c.reading = false
		close(c.changed)
		c.changed = make(chan struct{})
	}()
	m, err := c.Conn.ReceiveWithin(d)
	switch {
	case errors.Is(err, engineiotest.ErrSilence):
		return false
	case err != nil:
		c.t.Fatal(err)
	}
	e, ack, ok := c.parse(c.complete(m))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !ok:
		c.acks[ack] = append([]json.RawMessage{}, e.Args...)
	case !c.ignored[e.Name]:
		c.events = append(c.events, e)
	}
	return true
}

// parse takes one packet apart; ok reports whether it is an event. Otherwise it is
// an acknowledgement, whose id it returns.
func (c *Client) parse(text string, attachments [][]byte) (e Event, ack int, ok bool) {
	c.t.Helper()
	kind, rest := c.packet(text)
	if kind == '5' || kind == '6' {
		_, after, _ := strings.Cut(rest, "-")
		kind, rest = kind-3, after
	}
	e.Attachments = attachments
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
		return e, id, false
	}
	if len(e.Args) == 0 || json.Unmarshal(e.Args[0], &e.Name) != nil {
		c.t.Fatalf("socketiotest: %.200q has no name", text)
	}
	e.Args = e.Args[1:]
	return e, 0, true
}
