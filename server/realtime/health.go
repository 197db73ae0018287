package realtime

import "time"

// Degradation says that a node serves its own clients only, since the cluster
// is away, or did so a moment ago.
type Degradation struct {
	Degraded  bool
	Connected bool // the node reaches the cluster; what Reason says is past, or elsewhere
	Reason    string
	Since     time.Time
}

// Health is the service's health.
type Health struct {
	Healthy        bool      `json:"healthy"`
	ConnectedUsers int       `json:"connectedUsers"`
	Rooms          int       `json:"rooms"`
	Uptime         int64     `json:"uptime"` // milliseconds
	Timestamp      time.Time `json:"timestamp"`
	// Reason tells why the service is not healthy.
	Reason string `json:"reason,omitzero"`
	// Degraded is set where the node serves its own clients only.
	Degraded *Degraded `json:"degraded,omitzero"`
}

// Degraded tells why a node is degraded and since when.
type Degraded struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// Connected: the node reaches the cluster; what Reason says is past, or elsewhere.
	Connected bool `json:"connected,omitzero"`
}

// HealthCheck returns the health of this moment. A cluster that is away makes
// the node degraded, and unhealthy only if [Options.ClusterRequired] says so and the
// node is not connected.
func (svc *Service) HealthCheck() Health {
	users, rooms := svc.presence.View().Counts()
	now := time.Now()
	h := Health{Healthy: true, ConnectedUsers: users, Rooms: rooms, Uptime: now.Sub(svc.started).Milliseconds(), Timestamp: now}
	if svc.opts.Degraded == nil {
		return h
	}
	if d := svc.opts.Degraded(); d.Degraded {
		h.Degraded = &Degraded{Reason: d.Reason, Since: d.Since, Connected: d.Connected}
		if svc.opts.ClusterRequired && !d.Connected {
			h.Healthy, h.Reason = false, d.Reason
		}
	}
	return h
}
