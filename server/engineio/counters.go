package engineio

import (
	"errors"
	"os"
	"sync/atomic"

	"github.com/puente-io/puente/server/engineio/internal/wsframe"
	"github.com/puente-io/puente/server/engineio/packet"
)

// LimitCounts has, for each limit, how often it stopped a client since the server was
// made. Header limits are not counted: the HTTP server enforces them.
type LimitCounts struct {
	// Connections, ConnectionsPerAddress, Handshakes and HandshakesPerAddress: handshakes
	// refused because of MaxSessions, MaxSessionsPerAddress, MaxHandshakesPerSecond and
	// MaxHandshakesPerAddress, respectively.
	Connections           int64 `json:"connections"`
	ConnectionsPerAddress int64 `json:"connectionsPerAddress"`
	Handshakes            int64 `json:"handshakes"`
	HandshakesPerAddress  int64 `json:"handshakesPerAddress"`
	// UnsupportedProtocols: handshakes of another protocol than 4, most likely of
	// clients 1.x and 2.x of Socket.IO, while AllowProtocol3 is not set.
	UnsupportedProtocols int64 `json:"unsupportedProtocols"`
	// QueueBytes: sessions closed with [ReasonSlowConsumer], because of
	// MaxBacklogBytes, SlowTimeout and MaxTotalQueueBytes.
	QueueBytes int64 `json:"queueBytes"`
	// MessageBytes: bodies and messages beyond MaxHTTPBufferSize, or beyond what
	// [Session.SetMaxMessageBytes] allows.
	MessageBytes int64 `json:"messageBytes"`
	// Fragments: messages in more than 16,384 frames.
	Fragments int64 `json:"fragments"`
	// PayloadPackets: bodies of more packets than [packet.MaxPayloadPackets].
	PayloadPackets int64 `json:"payloadPackets"`
	// BodyTimeouts and UpgradeTimeouts: requests ended by BodyTimeout, and upgrades ended
	// by UpgradeTimeout.
	BodyTimeouts    int64 `json:"bodyTimeouts"`
	UpgradeTimeouts int64 `json:"upgradeTimeouts"`
}

type limitCounters struct {
	sessions, addresses, handshakes    atomic.Int64
	addressHandshakes                  atomic.Int64
	queue, message, fragments, packets atomic.Int64
	bodies, upgrades, protocols        atomic.Int64
}

// LimitCounts returns the current counts.
func (srv *Server) LimitCounts() LimitCounts {
	c := &srv.limits
	return LimitCounts{
		Connections: c.sessions.Load(), ConnectionsPerAddress: c.addresses.Load(), Handshakes: c.handshakes.Load(),
		HandshakesPerAddress: c.addressHandshakes.Load(), UnsupportedProtocols: c.protocols.Load(),
		QueueBytes: c.queue.Load(), MessageBytes: c.message.Load(), Fragments: c.fragments.Load(),
		PayloadPackets: c.packets.Load(), BodyTimeouts: c.bodies.Load(), UpgradeTimeouts: c.upgrades.Load(),
	}
}

// ended counts the end of a session if a limit was the cause.
func (c *limitCounters) ended(reason Reason, err error) {
	switch {
	case reason == ReasonSlowConsumer:
		c.queue.Add(1)
	case err == nil:
	case errors.Is(err, errTooLarge), errors.Is(err, wsframe.ErrTooLarge):
		c.message.Add(1)
	case errors.Is(err, wsframe.ErrFragments):
		c.fragments.Add(1)
	case errors.Is(err, packet.ErrTooMany):
		c.packets.Add(1)
	case errors.Is(err, errBody) && errors.Is(err, os.ErrDeadlineExceeded):
		c.bodies.Add(1)
	}
}
