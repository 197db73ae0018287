package realtime

import "time"

// Health is the service's health.
type Health struct {
	Healthy        bool      `json:"healthy"`
	ConnectedUsers int       `json:"connectedUsers"`
	Rooms          int       `json:"rooms"`
	Uptime         int64     `json:"uptime"` // milliseconds
	Timestamp      time.Time `json:"timestamp"`
	// Reason says why the service is not healthy.
	Reason string `json:"reason,omitzero"`
	// Protocol3 is how many sessions of clients of protocol 3 the node has, see [Stats].
	Protocol3 int64 `json:"protocol3,omitzero"`
	// Degraded is set if the node is degraded, see [Options.Cluster].
	Degraded *Degraded `json:"degraded,omitzero"`
}

// Degraded says why a node is degraded and since when.
type Degraded struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// Connected: the node reaches the cluster: Reason is past, or about another node.
	Connected bool `json:"connected,omitzero"`
}

// HealthCheck returns the current health. An unreachable cluster makes the node
// degraded; it makes it unhealthy only if [Options.ClusterRequired] is set and the
// node is not connected.
func (svc *Service) HealthCheck() Health {
	users, rooms := svc.presence.View().Counts()
	now := time.Now()
	h := Health{Healthy: true, ConnectedUsers: users, Rooms: rooms, Uptime: now.Sub(svc.started).Milliseconds(), Timestamp: now, Protocol3: svc.protocol3().Active}
	if svc.opts.Cluster == nil {
		return h
	}
	if d := svc.opts.Cluster.Health(); d.Degraded {
		h.Degraded = &Degraded{Reason: d.Reason, Since: d.Since, Connected: d.Connected}
		if svc.opts.ClusterRequired && !d.Connected {
			h.Healthy, h.Reason = false, d.Reason
		}
	}
	return h
}
