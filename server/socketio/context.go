package socketio

import (
	"context"
	"time"
)

// socketContext is a socket's context: it ends with the socket, and has the
// values of the session's. Most are only asked for Err, so the underlying context
// is made at the first call of Done.
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
		c.real, c.end = context.WithCancelCause(c.values())
		if c.socket.state == disconnected {
			c.cancel()
		}
	}
	return c.real
}

func (c *socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *socketContext) Done() <-chan struct{}       { return c.context().Done() }

// values returns the context that has the values.
func (c *socketContext) values() context.Context { return c.socket.client.session.Context() }

func (c *socketContext) Value(key any) any {
	c.socket.mu.Lock()
	ctx := c.real
	c.socket.mu.Unlock()
	if ctx == nil {
		ctx = c.values()
	}
	return ctx.Value(key)
}

func (c *socketContext) Err() error {
	c.socket.mu.Lock()
	defer c.socket.mu.Unlock()
	if c.socket.state == disconnected {
		return context.Canceled
	}
	return nil
}

// lastContext returns the context of the socket's disconnect handlers.
func (s *Socket) lastContext() context.Context {
	return lastContext{s.client.server.base, s.ctx.values()}
}

// lastContext ends with the server's base context, and has the values of the
// session's.
type lastContext struct {
	context.Context
	values context.Context
}

func (c lastContext) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}
