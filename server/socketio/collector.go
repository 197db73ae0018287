package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// collector collects the acknowledgements of this server's sockets.
type collector struct {
	mu      sync.Mutex
	answers []adapter.Args
	done    int // answered or disconnected
	missing bool
	backlog bool
	want    int
	full    chan struct{}
}

func newCollector() *collector { return &collector{want: -1, full: make(chan struct{})} }

func (c *collector) take(a adapter.Args, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if err == nil {
		c.answers = append(c.answers, a)
	} else {
		c.missing = true
		c.backlog = c.backlog || errors.Is(err, ErrBacklog)
	}
	c.check()
}

func (c *collector) asked(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = n
	c.check()
}

func (c *collector) check() {
	if c.done == c.want {
		close(c.full)
		c.want = -1
	}
}

func (c *collector) wait(ctx context.Context) ([]adapter.Args, error) {
	var err error
	select {
	case <-c.full:
	case <-ctx.Done():
		err = adapter.ErrTimeout
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missing {
		err = adapter.ErrTimeout
	}
	if c.backlog {
		err = fmt.Errorf("%w: %w", ErrBacklog, adapter.ErrTimeout)
	}
	return slices.Clone(c.answers), err
}
