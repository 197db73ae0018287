package realtime

import (
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/server/socketio"
)

type counters struct {
	connections, disconnections atomic.Int64
	published, received, errors atomic.Int64
	dropped                     atomic.Int64

	// Counters of LimitCounts.
	limitedUserEvents, limitedSocketEvents, limitedPings atomic.Int64
	limitedSockets, limitedRooms, authTimeouts, floods   atomic.Int64
}

// Stats are the service's statistics. Counters are those of this node since it
// started; users and rooms are the cluster's.
type Stats struct {
	Connections       int64     `json:"connections"`
	Disconnections    int64     `json:"disconnections"`
	ActiveConnections int64     `json:"activeConnections"`
	MessagesPublished int64     `json:"messagesPublished"`
	MessagesReceived  int64     `json:"messagesReceived"`
	Errors            int64     `json:"errors"`
	ConnectedUsers    int       `json:"connectedUsers"`
	Rooms             int       `json:"rooms"`
	Timestamp         time.Time `json:"timestamp"`
	// Limits has a counter for each limit.
	Limits LimitCounts `json:"limits"`
	// Compression says what the node has compressed for WebSockets.
	Compression socketio.CompressionCounts `json:"compression"`
	// Recovery says what became of clients that asked for recovery.
	Recovery socketio.RecoveryCounts `json:"recovery"`
	// Protocol3 counts the sessions of clients of protocol 3.
	Protocol3 Protocol3 `json:"protocol3"`
}

// Protocol3 counts the sessions of clients of protocol 3, those of Socket.IO 1.x and 2.x,
// on this node: those that are open, and all since it started.
type Protocol3 struct {
	Active int64 `json:"active"`
	Total  int64 `json:"total"`
}

func (svc *Service) protocol3() (p Protocol3) {
	p.Active, p.Total = svc.ns.Server().Engine().Protocol3()
	return p
}

// LimitCounts says how often each limit of the Socket.IO server and of the service
// has stopped a client since the node started.
type LimitCounts struct {
	socketio.LimitCounts

	// UserEvents, SocketEvents and Pings: events refused because of RateLimit: those of
	// users, those of sockets without a user, and pings.
	UserEvents   int64 `json:"userEvents"`
	SocketEvents int64 `json:"socketEvents"`
	Pings        int64 `json:"pings"`
	// RefusedEvents: connections closed because of MaxRefusedEvents.
	RefusedEvents int64 `json:"refusedEvents"`
	// SocketsPerUser: sockets refused because of MaxSocketsPerUser.
	SocketsPerUser int64 `json:"socketsPerUser"`
	// RoomsPerSocket: joins refused because of MaxRoomsPerSocket.
	RoomsPerSocket int64 `json:"roomsPerSocket"`
	// AuthTimeouts: sockets that did not authenticate in time.
	AuthTimeouts int64 `json:"authTimeouts"`
	// ClusterGaps and ClusterBuffers are what [Cluster].Gaps returns.
	ClusterGaps    int64 `json:"clusterGaps"`
	ClusterBuffers int64 `json:"clusterBuffers"`
	// ClusterMalformed is what [Cluster].Malformed returns.
	ClusterMalformed int64 `json:"clusterMalformed"`
	// ClusterDrops is [Service.ClusterDrops].
	ClusterDrops int64 `json:"clusterDrops"`
}

// Stats returns the current statistics.
func (svc *Service) Stats() Stats {
	users, rooms := svc.presence.View().Counts()
	c := &svc.counters
	// Disconnections are loaded first, so that the difference is not negative.
	disconnections := c.disconnections.Load()
	connections := c.connections.Load()
	var gaps, buffers, malformed int64
	if c := svc.opts.Cluster; c != nil {
		gaps, buffers = c.Gaps()
		malformed = c.Malformed()
	}
	return Stats{
		Connections: connections, Disconnections: disconnections, ActiveConnections: connections - disconnections,
		MessagesPublished: c.published.Load(), MessagesReceived: c.received.Load(), Errors: c.errors.Load(),
		ConnectedUsers: users, Rooms: rooms, Timestamp: time.Now(), Protocol3: svc.protocol3(),
		Compression: svc.ns.Server().CompressionCounts(), Recovery: svc.ns.Server().RecoveryCounts(),
		Limits: LimitCounts{
			LimitCounts: svc.ns.Server().LimitCounts(),
			UserEvents:  c.limitedUserEvents.Load(), SocketEvents: c.limitedSocketEvents.Load(), Pings: c.limitedPings.Load(),
			RefusedEvents: c.floods.Load(), SocketsPerUser: c.limitedSockets.Load(), RoomsPerSocket: c.limitedRooms.Load(), AuthTimeouts: c.authTimeouts.Load(),
			ClusterGaps: gaps, ClusterBuffers: buffers, ClusterMalformed: malformed, ClusterDrops: svc.ClusterDrops(),
		},
	}
}

// ClusterDrops returns how many messages did not reach the other nodes because the
// cluster was unreachable.
func (svc *Service) ClusterDrops() int64 { return svc.counters.dropped.Load() }
