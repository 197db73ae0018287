package redisadapter_test

import (
	"fmt"
	"sync"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
	"github.com/puente-io/puente/server/socketio/packet"
)

// counter is a namespace that has every room and notes the numbers of the load.
type counter struct {
	*adaptertest.Node

	mu      sync.Mutex
	other   int // events that are not of the load
	n       int // events of the load
	next    int
	trouble error
}

func (c *counter) HasRoom(string) bool { return true }

func (c *counter) DeliverBroadcast(p *packet.Packet, _ adapter.Selection, _ adapter.Flags) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var i int
	if _, err := fmt.Sscanf(string(p.Data), `["load",%d,`, &i); err != nil {
		c.other++
		return
	}
	if i != c.next && c.trouble == nil {
		c.trouble = fmt.Errorf("number %d came, want %d", i, c.next)
	}
	c.next = i + 1
	c.n++
}

func (c *counter) counts() (load, other int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n, c.other
}

// check returns what was wrong with the load's numbers.
func (c *counter) check(total int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trouble == nil && c.n != total {
		return fmt.Errorf("%d messages came, want %d", c.n, total)
	}
	return c.trouble
}

// wrong returns what was wrong with the numbers that have come.
func (c *counter) wrong() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trouble
}
