//go:build !linux

package engineio

import "errors"

// poller exists on Linux only; elsewhere each WebSocket has a goroutine that
// reads.
type poller struct{}

type pollEntry struct{}

func newPoller() (*poller, error) { return nil, errors.ErrUnsupported }

func (p *poller) add(*websocketConn) error { return errors.ErrUnsupported }
func (p *poller) remove(*websocketConn)    {}
func (p *poller) close()                   {}
