//go:build !linux

package netpoll

import (
	"errors"
	"net"
)

// Poller waits on behalf of its connections. There is none on this system.
type Poller struct{}

// New returns errors.ErrUnsupported.
func New(func(...Task)) (*Poller, error) { return nil, errors.ErrUnsupported }

// Pollable reports false.
func Pollable(net.Conn) bool { return false }

// Take reports false.
func (p *Poller) Take(*Conn, net.Conn, Handler) bool { return false }

// Count returns 0.
func (p *Poller) Count() int { return 0 }

// Close does nothing.
func (p *Poller) Close() {}

// Conn is a connection of a poller. There is none on this system.
type Conn struct{}

// Start returns errors.ErrUnsupported, and so on.
func (c *Conn) Start() error                          { return errors.ErrUnsupported }
func (c *Conn) Write([]byte) (rest []byte, err error) { return nil, errors.ErrUnsupported }
func (c *Conn) AwaitWritable(bool) error              { return errors.ErrUnsupported }
func (c *Conn) Unacked() (bytes int, ok bool)         { return 0, false }
func (c *Conn) Control(func(fd int)) bool             { return false }
func (c *Conn) CloseWrite()                           {}
func (c *Conn) Shutdown()                             {}
func (c *Conn) Close()                                {}
