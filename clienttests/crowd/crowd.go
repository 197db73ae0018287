package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// crowd is the set of all clients.
type crowd struct {
	addr    string
	members []*member
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup
	seq     atomic.Int64 // number of the last publication to all

	mu       sync.Mutex
	delayed  bool           // clients reconnect with the delays of socket.io-client
	gate     chan struct{}  // closed when clients without delays may connect
	failures map[string]int // failed attempts by kind
	wrong    []error        // violations
	overflow int            // overflows() at the beginning of the round
}

func newCrowd(ctx context.Context, addr string, clients int) (*crowd, error) {
	c := &crowd{addr: addr, gate: make(chan struct{}), failures: make(map[string]int), overflow: overflows()}
	close(c.gate)
	c.ctx, c.cancel = context.WithCancel(ctx)
	for i := range clients {
		m, err := newMember(c, i)
		if err != nil {
			return nil, err
		}
		c.members = append(c.members, m)
	}
	for _, m := range c.members {
		c.done.Go(m.live)
	}
	return c, nil
}

func (c *crowd) close() {
	c.cancel()
	c.done.Wait()
}

// setReconnect sets how clients reconnect: with the delays of socket.io-client, or all at
// once when open is called.
func (c *crowd) setReconnect(delayed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delayed, c.failures, c.overflow = delayed, make(map[string]int), overflows()
	select {
	case <-c.gate:
		c.gate = make(chan struct{})
	default:
	}
	if delayed {
		close(c.gate)
	}
}

// open lets clients without delays connect.
func (c *crowd) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.gate:
	default:
		close(c.gate)
	}
}

// wait waits until a client may attempt to connect, after that many failed attempts.
// It returns false when the crowd is closed.
func (c *crowd) wait(failed int) bool {
	c.mu.Lock()
	gate, delayed := c.gate, c.delayed
	c.mu.Unlock()
	var pause time.Duration
	if delayed {
		pause = delay(failed)
	} else if failed > 0 {
		pause = time.Millisecond // let other clients run
	}
	for _, until := range []<-chan struct{}{gate, after(c.ctx, pause)} {
		select {
		case <-until:
		case <-c.ctx.Done():
			return false
		}
	}
	return c.ctx.Err() == nil
}

// failed counts a failed attempt.
func (c *crowd) failed(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures[kind]++
}

func (c *crowd) violation(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.wrong) < 20 {
		c.wrong = append(c.wrong, fmt.Errorf(format, args...))
	}
}

// until waits until cond holds for every client. At the end of c.ctx it returns an
// error with the number of clients for which it does not; it returns violations at
// once.
func (c *crowd) until(what string, cond func(*member) bool) error {
	for {
		missing := 0
		for _, m := range c.members {
			if !cond(m) {
				missing++
			}
		}
		c.mu.Lock()
		err := errors.Join(c.wrong...)
		failures := fmt.Sprint(c.failures)
		c.mu.Unlock()
		switch {
		case err != nil:
			return err
		case missing == 0:
			return nil
		case c.ctx.Err() != nil:
			return fmt.Errorf("%d of %d clients are not %s; failed attempts: %s", missing, len(c.members), what, failures)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// waitDisconnected waits until every client has lost its connection.
func (c *crowd) waitDisconnected() error {
	return c.until("disconnected", func(m *member) bool { return m.losses.Load() > m.seen })
}

// waitConnected waits until every client is connected.
func (c *crowd) waitConnected() error {
	err := c.until("connected", func(m *member) bool { return m.in.Load() })
	for _, m := range c.members {
		m.seen = m.losses.Load()
	}
	return err
}

// checkDelivery publishes a broadcast and an update in each room, and checks that each client
// receives both once.
func (c *crowd) checkDelivery(n *node) error {
	seq := c.seq.Add(1)
	for _, m := range c.members {
		m.news.Store(0)
		m.updates.Store(0)
		m.answered.Store(false)
	}
	if err := n.post("/api/ws/broadcast", fmt.Sprintf(`{"event":"news","data":%d}`, seq)); err != nil {
		return err
	}
	for i := range len(c.members) / roomSize {
		if err := n.post("/api/ws/updates", fmt.Sprintf(`{"roomId":"%s","type":"turn","payload":%d}`, roomOf(i*roomSize), seq)); err != nil {
			return err
		}
	}
	// Everything published before arrives before the answer to a ping.
	for _, m := range c.members {
		m.ping()
	}
	if err := c.until("answered", func(m *member) bool { return m.answered.Load() }); err != nil {
		return err
	}
	for _, m := range c.members {
		if news, updates := m.news.Load(), m.updates.Load(); news != 1 || updates != 1 {
			c.violation("%s received the broadcast %d times and the update of %s %d times", m.user, news, m.room, updates)
		}
	}
	return errors.Join(c.wrong...)
}

// report returns the times at which clients connected, measured from since, and the
// failed attempts.
func (c *crowd) report(since time.Time) string {
	took := make([]time.Duration, len(c.members))
	for i, m := range c.members {
		took[i] = time.Unix(0, m.since.Load()).Sub(since).Round(time.Millisecond)
	}
	slices.Sort(took)
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("p50 %v, p99 %v, last %v; failed attempts %v; listen queue overflows %d",
		took[len(took)/2], took[len(took)*99/100], took[len(took)-1], c.failures, overflows()-c.overflow)
}

// overflows returns how often a listen queue has overflowed since the system started,
// or 0 if the system does not report it.
func overflows() (count int) {
	text, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		return 0
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "TcpExt:" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		if i := slices.Index(names, "ListenOverflows"); i > 0 && i < len(f) {
			fmt.Sscan(f[i], &count)
		}
	}
	return count
}
