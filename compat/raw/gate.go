package raw

import (
	"context"
	"net"
	"sync"
)

// gates are the network connections of a client.
type gates struct {
	mu      sync.Mutex
	conns   []*gate
	stopped bool
}

// gate is a network connection whose reading can be stopped.
type gate struct {
	net.Conn
	of     *gates
	closed chan struct{}
	close  sync.Once
}

// dialer returns the dial function for the client's network connections.
func (c *Client) dialer(opts Options) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := opts.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		g := &gate{Conn: conn, of: &c.gates, closed: make(chan struct{})}
		c.gates.mu.Lock()
		defer c.gates.mu.Unlock()
		c.gates.conns = append(c.gates.conns, g)
		return g, nil
	}
}

// stop blocks all further Reads. A Read in progress still returns.
func (gs *gates) stop() {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.stopped = true
}

// reset makes Close reset the connections that are TCP.
func (gs *gates) reset() {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, g := range gs.conns {
		if tcp, ok := g.Conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
	}
}

func (g *gate) Read(p []byte) (int, error) {
	g.of.mu.Lock()
	stopped := g.of.stopped
	g.of.mu.Unlock()
	if stopped {
		<-g.closed
		return 0, net.ErrClosed
	}
	return g.Conn.Read(p)
}

func (g *gate) Close() error {
	g.close.Do(func() { close(g.closed) })
	return g.Conn.Close()
}
