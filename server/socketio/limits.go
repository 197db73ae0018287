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
	// RefusedConnects: sessions that were closed because of MaxRefusedConnects.
	RefusedConnects int64 `json:"refusedConnects"`
	// Arguments and Depth: events and acknowledgements that were refused because
	// of MaxArguments and MaxDepth. Depth also counts CONNECTs and the requests of
	// backends that were refused, and messages of other servers that were dropped.
	Arguments int64 `json:"arguments"`
	Depth     int64 `json:"depth"`
	// Sessions that were closed, because of MaxAttachments, ConnectTimeout and
	// AttachmentTimeout.
	Attachments        int64 `json:"attachments"`
	ConnectTimeouts    int64 `json:"connectTimeouts"`
	AttachmentTimeouts int64 `json:"attachmentTimeouts"`
	// PendingEvents: how often a client was not read on because of
	// MaxPendingEvents or MaxPendingBytes.
	PendingEvents int64 `json:"pendingEvents"`
	// References: events and acknowledgements that were refused, and broadcasts
	// of other servers that were dropped, because of MaxAttachments or
	// MaxAttachmentBytes, counted at each place that names an attachment.
	References int64 `json:"references"`
}

type limitCounters struct {
	attachments, arguments              atomic.Int64
	depth, namespaces                   atomic.Int64
	connectTimeouts, attachmentTimeouts atomic.Int64
	pending, references                 atomic.Int64
	refusedConnects                     atomic.Int64
}

// LimitCounts returns the counts of this moment.
func (srv *Server) LimitCounts() LimitCounts {
	c := &srv.limits
	return LimitCounts{
		LimitCounts: srv.engine.LimitCounts(),
		Namespaces:  c.namespaces.Load(), RefusedConnects: c.refusedConnects.Load(), Arguments: c.arguments.Load(), Depth: c.depth.Load(),
		Attachments: c.attachments.Load(), ConnectTimeouts: c.connectTimeouts.Load(), AttachmentTimeouts: c.attachmentTimeouts.Load(),
		PendingEvents: c.pending.Load(), References: c.references.Load(),
	}
}

// ended counts the end of a session where a limit was the cause.
func (c *limitCounters) ended(err error) {
	switch {
	case err == nil:
	case errors.Is(err, packet.ErrTooMany):
		c.attachments.Add(1)
	case err == errConnectTimeout:
		c.connectTimeouts.Add(1)
	case err == errAttachmentTimeout:
		c.attachmentTimeouts.Add(1)
	}
}
