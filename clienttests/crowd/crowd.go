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

// crowd is all clients.
type crowd struct {
	addr    string
	members []*member
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup
	turn    atomic.Int64 // how often something has been published for all

	mu       sync.Mutex
	delayed  bool           // clients come back as socket.io-client does
	gate     chan struct{}  // closed: clients that are not delayed may try
	failures map[string]int // attempts that failed, by kind
	wrong    []error        // what must not happen
	overflow int            // of the kernel's, when the round began
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

// come says how clients come back from now on: with the delays of
// socket.io-client, or without any once the gate is open.
func (c *crowd) come(delayed bool) {
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

// open opens the gate.
func (c *crowd) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.gate:
	default:
		close(c.gate)
	}
}

// wait waits until it is time for an attempt: the first after a connection, or
// one after so many that have failed. It reports false at the end.
func (c *crowd) wait(failed int) bool {
	c.mu.Lock()
	gate, delayed := c.gate, c.delayed
	c.mu.Unlock()
	var pause time.Duration
	if delayed {
		pause = delay(failed)
	} else if failed > 0 {
		pause = time.Millisecond // a client that loops has to let others run
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

// failed counts an attempt that has failed.
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

// until waits until cond holds, or returns an error that tells how far it is.
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
			return fmt.Errorf("%d of %d are not %s; attempts that failed: %s", missing, len(c.members), what, failures)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// lost waits until every client has noticed that the server went.
func (c *crowd) lost() error {
	return c.until("disconnected", func(m *member) bool { return m.losses.Load() > m.seen })
}

// arrived waits until every client is in again.
func (c *crowd) arrived() error {
	err := c.until("in", func(m *member) bool { return m.in.Load() })
	for _, m := range c.members {
		m.seen = m.losses.Load()
	}
	return err
}

// told publishes something for all and something in each room, and checks that
// each client gets each once.
func (c *crowd) told(n *node) error {
	turn := c.turn.Add(1)
	for _, m := range c.members {
		m.news.Store(0)
		m.updates.Store(0)
		m.answered.Store(false)
	}
	if err := n.post("/api/ws/broadcast", fmt.Sprintf(`{"event":"news","data":%d}`, turn)); err != nil {
		return err
	}
	for i := range len(c.members) / roomSize {
		if err := n.post("/api/ws/updates", fmt.Sprintf(`{"roomId":"%s","type":"turn","payload":%d}`, roomOf(i*roomSize), turn)); err != nil {
			return err
		}
	}
	// What was published before comes before the answer to a ping.
	for _, m := range c.members {
		m.ping()
	}
	if err := c.until("answered", func(m *member) bool { return m.answered.Load() }); err != nil {
		return err
	}
	for _, m := range c.members {
		if news, updates := m.news.Load(), m.updates.Load(); news != 1 || updates != 1 {
			c.violation("%s got the broadcast %d times and the update of %s %d times", m.user, news, m.room, updates)
		}
	}
	return errors.Join(c.wrong...)
}

// report tells how the clients came, measured from the moment.
func (c *crowd) report(since time.Time) string {
	took := make([]time.Duration, len(c.members))
	for i, m := range c.members {
		took[i] = time.Unix(0, m.since.Load()).Sub(since).Round(time.Millisecond)
	}
	slices.Sort(took)
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("p50 %v, p99 %v, last %v; failed attempts %v; the line of connections to accept ran over %d times",
		took[len(took)/2], took[len(took)*99/100], took[len(took)-1], c.failures, overflows()-c.overflow)
}

// overflows is how often the kernel has found a listener's line full, since it
// started; 0 where it does not tell.
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
