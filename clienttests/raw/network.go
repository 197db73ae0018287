package raw

import (
	"context"
	"net"
	"sync"
)

// Network is a network in memory and the listener of the one server on it.
// What waits for a TCP connection does not let the time of testing/synctest
// pass; what waits for one of these does.
type Network struct {
	conns chan net.Conn
	done  chan struct{}
	close sync.Once
}

// NewNetwork returns a network.
func NewNetwork() *Network {
	return &Network{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Dial connects to the server, whatever the address.
func (n *Network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (n *Network) Close() error {
	n.close.Do(func() { close(n.done) })
	return nil
}

// Addr implements [net.Listener].
func (n *Network) Addr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "memory.test:80" }
