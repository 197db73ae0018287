package redisbus

import (
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// command is a command that was sent on a subscribed connection. Redis replies in the
// order of the commands: with a confirmation for each name, or with one error.
type command struct {
	kind    Kind
	off     bool // ends subscriptions
	names   []string
	ping    bool
	waiting []chan struct{} // of a ping: closed at the reply
}

func (c command) targets() []Target {
	list := make([]Target, len(c.names))
	for i, name := range c.names {
		list[i] = Target{c.kind, name}
	}
	return list
}

// done wakes those that wait for the reply.
func (c command) done() {
	for _, replied := range c.waiting {
		close(replied)
	}
}

// text returns the command's name.
func (c command) text() string {
	name := [...]string{Channel: "SUBSCRIBE", Pattern: "PSUBSCRIBE", Shard: "SSUBSCRIBE"}[c.kind]
	switch {
	case c.ping:
		return "PING"
	case c.off && c.kind == Channel:
		return "UNSUBSCRIBE"
	case c.off:
		return name[:1] + "UN" + name[1:]
	}
	return name
}

// expect records a command before it is sent.
func (c *connection) expect(cmd command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, cmd)
}

// replied records that Redis has confirmed a subscription, or its end, or has replied
// to a ping. It reports false if no command asked for that: Redis Cluster ends the
// subscriptions of a slot that moves.
func (c *connection) replied(t Target, off, ping bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sent) == 0 {
		return false
	}
	cmd := &c.sent[0]
	if ping != cmd.ping {
		return false
	}
	if !ping {
		i := slices.Index(cmd.names, t.Name)
		if cmd.kind != t.Kind || cmd.off != off || i < 0 {
			return false
		}
		cmd.names = slices.Delete(cmd.names, i, i+1)
	}
	if len(cmd.names) == 0 {
		cmd.done()
		c.sent = c.sent[1:]
	}
	return true
}

// refused handles an error reply to the oldest command. The connection stays open and
// keeps its other subscriptions.
func (c *connection) refused(err error) {
	c.mu.Lock()
	if len(c.sent) == 0 {
		c.mu.Unlock()
		return
	}
	cmd := c.sent[0]
	c.sent = c.sent[1:]
	cmd.done()
	moved := c.address != "" && redis.HasErrorPrefix(err, "MOVED")
	if !cmd.ping && !cmd.off {
		for _, t := range cmd.targets() {
			delete(c.active, t)
			if !moved {
				c.denied = append(c.denied, t)
			}
			if redislink.IsDenied(err) {
				if c.missed == nil {
					c.missed = make(map[Target]bool)
				}
				c.missed[t] = true
			}
		}
	}
	c.mu.Unlock()
	switch {
	case cmd.ping: // any reply will do
	case cmd.off:
		for _, t := range cmd.targets() {
			c.onUnsubscribed(t) // messages that still arrive have no receiver
		}
	case moved:
		c.forget(cmd.targets())
		c.sub.moved(cmd.targets())
	default:
		if redislink.IsDenied(err) {
			err = &redislink.Denied{Command: cmd.text(), Channel: cmd.names[0], Err: err}
		}
		c.sub.refuse(cmd.targets(), err)
		if redis.HasErrorPrefix(err, "CROSSSLOT") { // a Redis Cluster, which says MOVED if it is asked for one channel
			c.single.Store(true)
			c.retry()
		}
	}
}

// retry sends the refused subscriptions again: the rules of Redis may have changed.
func (c *connection) retry() {
	c.mu.Lock()
	denied := c.denied
	c.denied = nil
	c.mu.Unlock()
	if len(denied) > 0 {
		c.change(denied)
	}
}

// parts splits names into those of one command each. In a Redis Cluster the channels
// of one SSUBSCRIBE must share a slot.
func (c *connection) parts(kind Kind, names []string) func(func([]string) bool) {
	if kind == Shard && (c.address != "" || c.single.Load()) {
		return slices.Chunk(names, 1)
	}
	return slices.Chunk(names, maxChannels)
}
