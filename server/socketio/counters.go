package socketio

import (
	"errors"
	"sync/atomic"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/packet"
)

// CompressionCounts says what the server has compressed, see
// [engineio.Options.PerMessageDeflate].
type CompressionCounts = engineio.CompressionCounts

// CompressionCounts returns the current counts.
func (srv *Server) CompressionCounts() CompressionCounts { return srv.engine.CompressionCounts() }

// LimitCounts has, for each limit, how often it stopped a client since the
// server was created, including the engine's limits.
type LimitCounts struct {
	engineio.LimitCounts

	// Namespaces: CONNECTs refused because of MaxNamespaces.
	Namespaces int64 `json:"namespaces"`
	// RefusedConnects: sessions closed because of MaxRefusedConnects.
	RefusedConnects int64 `json:"refusedConnects"`
	// Arguments and Depth: events and acknowledgements refused because of
	// MaxArguments and MaxDepth. Depth also counts refused CONNECTs and
	// requests of backends, and dropped messages of other servers.
	Arguments int64 `json:"arguments"`
	Depth     int64 `json:"depth"`
	// Sessions closed because of MaxAttachments, ConnectTimeout and
	// AttachmentTimeout.
	Attachments        int64 `json:"attachments"`
	ConnectTimeouts    int64 `json:"connectTimeouts"`
	AttachmentTimeouts int64 `json:"attachmentTimeouts"`
	// PendingEvents: how often reading from a client stopped because of
	// MaxPendingEvents or MaxPendingBytes.
	PendingEvents int64 `json:"pendingEvents"`
	// References: events and acknowledgements refused, and broadcasts of other
	// servers dropped, because of MaxAttachments or MaxAttachmentBytes, counted
	// once per placeholder, or because of a placeholder in a packet without
	// attachments.
	References int64 `json:"references"`
}

type limitCounters struct {
	attachments, arguments              atomic.Int64
	depth, namespaces                   atomic.Int64
	connectTimeouts, attachmentTimeouts atomic.Int64
	pending, references                 atomic.Int64
	refusedConnects                     atomic.Int64
}

// LimitCounts returns the current counts.
func (srv *Server) LimitCounts() LimitCounts {
	c := &srv.limits
	return LimitCounts{
		LimitCounts: srv.engine.LimitCounts(),
		Namespaces:  c.namespaces.Load(), RefusedConnects: c.refusedConnects.Load(), Arguments: c.arguments.Load(), Depth: c.depth.Load(),
		Attachments: c.attachments.Load(), ConnectTimeouts: c.connectTimeouts.Load(), AttachmentTimeouts: c.attachmentTimeouts.Load(),
		PendingEvents: c.pending.Load(), References: c.references.Load(),
	}
}

// ended counts the end of a session that a limit caused.
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
