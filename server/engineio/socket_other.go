//go:build !linux

package engineio

import "errors"

// Only Linux has sockets of ours and a poller for them; elsewhere a WebSocket
// has a goroutine that reads, and everything goes through its net.Conn.

type socket struct{}

func (srv *Server) adopt(*websocketConn) {}

func (k *socket) close()                                {}
func (k *socket) shutdown(int)                          {}
func (k *socket) write([]byte) (rest []byte, err error) { return nil, errors.ErrUnsupported }

func (c *websocketConn) drained() bool { return false }

type poller struct{}

func newPoller(*workers) (*poller, error) { return nil, errors.ErrUnsupported }

func (p *poller) add(*websocketConn) error         { return errors.ErrUnsupported }
func (p *poller) remove(*websocketConn)            {}
func (p *poller) await(*websocketConn, bool) error { return errors.ErrUnsupported }
func (p *poller) close()                           {}
