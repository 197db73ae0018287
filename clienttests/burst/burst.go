// Package burst publishes bursts to the members of a room and checks what each
// member receives. The members use every transport, and read as fast as they can,
// slowly, or not at all for a while.
package burst

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

// Burst is the configuration of a burst.
type Burst struct {
	// Token returns a token for a user.
	Token func(user string) string
	// Publish is the URL of the publishers' node, Nodes are those of the members.
	Publish string
	Nodes   []string
	// Room must be used by no one else.
	Room string
	// Members is the number of members, a third for each transport. Members that
	// upgrade do so during the burst, unless they are slow or pause.
	Members int
	// Each of Publishers publishes Messages messages of Size bytes, as fast as they
	// are acknowledged, with at most Window unacknowledged.
	Publishers, Messages, Size, Window int
	// Slow members read SlowRate bytes a second; Paused members stop reading once
	// during the burst, for Pause. The others read as fast as they can.
	Slow, Paused int
	SlowRate     int
	Pause        time.Duration
	// Timeout bounds how long members may take to receive all messages after the
	// last acknowledgement.
	Timeout time.Duration
	// Reason, if not nil, returns why a node has disconnected a socket.
	Reason func(url, id string) string
}

// Result is the result of a burst.
type Result struct {
	Published    time.Duration // until all messages were acknowledged
	Took         time.Duration // until all members had received all messages
	Acknowledged int           // messages
}

// Run runs the burst. It fails the test unless every member receives every message
// once, in the order of each publisher, and every publish is acknowledged with
// success.
func Run(tb raw.TB, b Burst) (res Result) {
	tb.Helper()
	members := make([]*member, b.Members)
	var joining sync.WaitGroup
	limit := make(chan struct{}, 50)
	for i := range members {
		joining.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			members[i] = b.join(tb, i)
		})
	}
	joining.Wait()
	for i, m := range members {
		if m == nil {
			tb.Fatalf("member %d has not joined", i)
		}
		defer func() { m.open(); m.client.Close() }()
	}
	start := time.Now()
	for _, m := range members {
		m.begin(b)
	}
	var publishing sync.WaitGroup
	var acknowledged atomic.Int64
	for p := range b.Publishers {
		publishing.Go(func() { acknowledged.Add(int64(b.publish(tb, p))) })
	}
	publishing.Wait()
	res.Published, res.Acknowledged = time.Since(start), int(acknowledged.Load())
	if want := b.Publishers * b.Messages; res.Acknowledged != want {
		tb.Fatalf("%d of %d messages were acknowledged", res.Acknowledged, want)
	}
	deadline := time.After(b.Timeout)
	for i, m := range members {
		select {
		case <-m.complete:
		case <-m.client.Done():
			select {
			case <-m.complete:
			default:
				reason := ""
				if b.Reason != nil {
					reason = b.Reason(m.url, m.client.ID())
				}
				tb.Fatalf("member %d (%s) was disconnected (%s) with %d of %d messages after %v; %s", i, m, reason, m.got.Load(), b.Publishers*b.Messages,
					time.Since(start).Round(time.Millisecond), m.valve)
			}
		case <-deadline:
			tb.Fatalf("member %d (%s) has %d of %d messages", i, m, m.got.Load(), b.Publishers*b.Messages)
		}
		if wrong := m.wrong.Load(); wrong != nil {
			tb.Fatalf("member %d (%s): %s", i, m, *wrong)
		}
	}
	res.Took = time.Since(start)
	return res
}

// publish publishes the messages of publisher p and returns how many were
// acknowledged with success.
func (b Burst) publish(tb raw.TB, p int) (acknowledged int) {
	c := raw.Connect(tb, b.Publish, raw.Options{
		Auth: map[string]string{"token": b.Token(fmt.Sprint(b.Room, "-publisher-", p))}, OnPacket: isUpdate,
	})
	defer c.Close()
	// Only members may publish, so it joins, and reads its own messages.
	if a := c.Ask("join-room", b.Room); !strings.Contains(a.Arg(0), `"success":true`) {
		tb.Fatalf("join-room: %s", a.Arg(0))
	}
	payload := strings.Repeat("x", b.Size)
	var waiting []func() (raw.Event, error)
	take := func() {
		a, err := waiting[0]()
		waiting = waiting[1:]
		if err != nil {
			tb.Fatalf("publish-update: %v", err)
		}
		if !strings.Contains(a.Arg(0), `"success":true`) {
			tb.Fatalf("publish-update: %s", a.Arg(0))
		}
		acknowledged++
	}
	for n := range b.Messages {
		text := fmt.Sprintf(`{"roomId":%q,"type":"%d-%d","payload":%q}`, b.Room, p, n, payload)
		waiting = append(waiting, c.Start("publish-update", json.RawMessage(text)))
		if len(waiting) >= b.Window {
			take()
		}
	}
	for len(waiting) > 0 {
		take()
	}
	return acknowledged
}

// member is a member of the room.
type member struct {
	client    *raw.Client
	transport raw.Transport
	url       string
	opts      raw.Options
	kind      string // how it reads
	next      []int  // next message by publisher
	got       atomic.Int64
	want      int64
	wrong     atomic.Pointer[string]
	complete  chan struct{}

	valve *valve
}

func (m *member) String() string { return m.transport.String() + ", " + m.kind }

// upgrades reports whether the member upgrades during the burst. A slow member does
// not: to upgrade it must first read what is queued, which would exceed the upgrade
// timeout.
func (m *member) upgrades() bool { return m.transport == raw.Upgrade && m.kind == "reads" }

// open lets the member read as fast as it can.
func (m *member) open() { m.valve.set(0, false) }

func (b Burst) join(tb raw.TB, i int) *member {
	m := &member{
		transport: raw.Transport(i % 3), url: b.Nodes[i/3%len(b.Nodes)], kind: "reads", next: make([]int, b.Publishers),
		want: int64(b.Publishers * b.Messages), complete: make(chan struct{}), valve: newValve(),
	}
	switch {
	case i < b.Slow:
		m.kind = "reads slowly"
	case i < b.Slow+b.Paused:
		m.kind = "pauses"
	}
	m.opts = raw.Options{
		Auth:      map[string]string{"token": b.Token(fmt.Sprint(b.Room, "-member-", i))},
		Transport: m.transport, OnPacket: m.packet, NetDial: m.valve.dial,
	}
	if m.upgrades() {
		m.opts.Transport = raw.Polling
	}
	m.client = raw.Connect(tb, m.url, m.opts)
	if a := m.client.Ask("join-room", b.Room); !strings.Contains(a.Arg(0), `"success":true`) {
		tb.Fatalf("join-room: %s", a.Arg(0))
	}
	return m
}

// begin starts what the member does during the burst: upgrading, reading slowly or
// pausing.
func (m *member) begin(b Burst) {
	if m.upgrades() {
		go func() {
			time.Sleep(rand.N(200 * time.Millisecond))
			if err := m.client.MoveToWebSocket(m.url, m.opts); err != nil {
				m.fail("upgrade: %v", err)
			}
		}()
	}
	switch m.kind {
	case "reads slowly":
		m.valve.set(b.SlowRate, false)
	case "pauses":
		go func() {
			time.Sleep(rand.N(300 * time.Millisecond))
			m.valve.set(0, true)
			time.Sleep(b.Pause)
			m.open()
		}()
	}
}

func (m *member) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	m.wrong.CompareAndSwap(nil, &text)
}

// isUpdate reports whether a packet is an update.
func isUpdate(text string) bool { return strings.HasPrefix(text, `42["update",`) }

// packet checks a packet if it is an update. It is called in order.
func (m *member) packet(text string) bool {
	if isUpdate(text) {
		m.update(text)
	}
	return isUpdate(text)
}

func (m *member) update(text string) {
	_, after, _ := strings.Cut(text, `"type":"`)
	name, _, _ := strings.Cut(after, `"`)
	publisher, number, _ := strings.Cut(name, "-")
	p, err1 := strconv.Atoi(publisher)
	n, err2 := strconv.Atoi(number)
	if err1 != nil || err2 != nil || p >= len(m.next) || m.next[p] != n {
		m.fail("update %q arrived, want one of %v", name, m.next)
		return
	}
	m.next[p]++
	if m.got.Add(1) == m.want {
		close(m.complete)
	}
}

// valve limits or stops reads from network connections.
type valve struct {
	mu      sync.Mutex
	rate    int // bytes a second; 0: no limit
	closed  bool
	changed chan struct{}

	last    time.Time     // of the last read
	longest time.Duration // between two reads
	at      time.Time     // end of longest
}

// String describes the last read and the longest time between two reads.
func (v *valve) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return fmt.Sprintf("last read %v ago, the longest time between two reads was %v, %v ago", time.Since(v.last), v.longest, time.Since(v.at))
}

func (v *valve) read() {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if gap := now.Sub(v.last); !v.last.IsZero() && gap > v.longest {
		v.longest, v.at = gap, now
	}
	v.last = now
}

func newValve() *valve { return &valve{changed: make(chan struct{})} }

func (v *valve) set(rate int, closed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rate, v.closed = rate, closed
	close(v.changed)
	v.changed = make(chan struct{})
}

// pass waits until the valve is open and returns the rate.
func (v *valve) pass() (rate int) {
	for {
		v.mu.Lock()
		rate, closed, changed := v.rate, v.closed, v.changed
		v.mu.Unlock()
		if !closed {
			return rate
		}
		<-changed
	}
}

func (v *valve) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return valved{conn, v}, nil
}

type valved struct {
	net.Conn
	valve *valve
}

func (c valved) Read(p []byte) (int, error) {
	rate := c.valve.pass()
	if rate > 0 {
		p = p[:min(len(p), max(rate/10, 1))]
	}
	n, err := c.Conn.Read(p)
	c.valve.read()
	if rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	}
	return n, err
}
