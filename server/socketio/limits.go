package socketio

import (
	"errors"
	"sync/atomic"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// LimitCounts says how often each limit has stopped a client since the server
// was made: those of the engine, and these.
type LimitCounts struct {
	engineio.LimitCounts

	// Namespaces: CONNECTs that were refused because of MaxNamespaces.
	Namespaces int64 `json:"namespaces"`
	// Sessions that were closed, because of MaxAttachments, MaxDepth,
	// ConnectTimeout and AttachmentTimeout.
	Attachments        int64 `json:"attachments"`
	Depth              int64 `json:"depth"`
	ConnectTimeouts    int64 `json:"connectTimeouts"`
	AttachmentTimeouts int64 `json:"attachmentTimeouts"`
	// PendingEvents: how often a client was not read on because of
	// MaxPendingEvents or MaxPendingBytes.
	PendingEvents int64 `json:"pendingEvents"`
}

type limitCounters struct {
	attachments, depth, namespaces      atomic.Int64
	connectTimeouts, attachmentTimeouts atomic.Int64
	pending                             atomic.Int64
}

// LimitCounts returns the counts of this moment.
func (srv *Server) LimitCounts() LimitCounts {
	c := &srv.limits
	return LimitCounts{
		LimitCounts: srv.engine.LimitCounts(),
		Attachments: c.attachments.Load(), Depth: c.depth.Load(), Namespaces: c.namespaces.Load(),
		ConnectTimeouts: c.connectTimeouts.Load(), AttachmentTimeouts: c.attachmentTimeouts.Load(),
		PendingEvents: c.pending.Load(),
	}
}

// ended counts the end of a session where a limit was the cause.
func (c *limitCounters) ended(err error) {
	switch {
	case err == nil:
	case errors.Is(err, packet.ErrTooMany):
		c.attachments.Add(1)
	case errors.Is(err, packet.ErrTooDeep):
		c.depth.Add(1)
	case err == errConnectTimeout:
		c.connectTimeouts.Add(1)
	case err == errAttachmentTimeout:
		c.attachmentTimeouts.Add(1)
	}
}
