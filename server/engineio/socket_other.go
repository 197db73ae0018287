//go:build !unix

package engineio

import (
	"net"
	"syscall"
)

// Elsewhere all connections are read and written through their methods.

func rawConn(net.Conn) syscall.RawConn { return nil }

func (c *websocketConn) readRaw() error { return c.readConn() }

type writeCall struct{}

func (w *writeCall) init() {}

func (c *websocketConn) writeSome(_ *writeCall, b []byte) (rest []byte, err error) {
	return nil, c.writeAll(b)
}

func (c *websocketConn) writeAll(b []byte) error { return c.writeConn(b) }

func shutdownRaw(syscall.RawConn) {}
