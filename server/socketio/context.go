package socketio

import (
	"context"
	"time"
)

// socketContext is a socket's context. Most are only asked for Err, so the
// underlying context is made at the first call of another method.
type socketContext struct {
	socket *Socket
	// Guarded by Socket.mu.
	real context.Context
	end  context.CancelCauseFunc
}

// cancel ends the context. Socket.mu is held.
func (c *socketContext) cancel() {
	if c.end != nil {
		c.end(ErrDisconnected)
	}
}

func (c *socketContext) context() context.Context {
	c.socket.mu.Lock()
	defer c.socket.mu.Unlock()
	if c.real == nil {
		c.real, c.end = context.WithCancelCause(context.Background())
		if c.socket.state == disconnected {
			c.cancel()
		}
	}
	return c.real
}

func (c *socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *socketContext) Done() <-chan struct{}       { return c.context().Done() }
func (c *socketContext) Value(key any) any           { return c.context().Value(key) }

func (c *socketContext) Err() error {
	c.socket.mu.Lock()
	defer c.socket.mu.Unlock()
	if c.socket.state == disconnected {
		return context.Canceled
	}
	return nil
}
