package socket

// ConnectionStateRecovery is ignored: no connection state is recovered, so
// Socket.Recovered is always false.
type ConnectionStateRecovery struct {
	maxDisconnectionDuration *int64
	skipMiddlewares          *bool
}

// SetMaxDisconnectionDuration sets an option that is ignored.
func (c *ConnectionStateRecovery) SetMaxDisconnectionDuration(v int64) {
	c.maxDisconnectionDuration = &v
}

// GetRawMaxDisconnectionDuration returns what SetMaxDisconnectionDuration has set, or nil.
func (c *ConnectionStateRecovery) GetRawMaxDisconnectionDuration() *int64 {
	return c.maxDisconnectionDuration
}

// MaxDisconnectionDuration returns what SetMaxDisconnectionDuration has set, or the zero value.
func (c *ConnectionStateRecovery) MaxDisconnectionDuration() int64 {
	return get(c.maxDisconnectionDuration)
}

// SetSkipMiddlewares sets an option that is ignored.
func (c *ConnectionStateRecovery) SetSkipMiddlewares(v bool) { c.skipMiddlewares = &v }

// GetRawSkipMiddlewares returns what SetSkipMiddlewares has set, or nil.
func (c *ConnectionStateRecovery) GetRawSkipMiddlewares() *bool { return c.skipMiddlewares }

// SkipMiddlewares returns what SetSkipMiddlewares has set, or the zero value.
func (c *ConnectionStateRecovery) SkipMiddlewares() bool { return get(c.skipMiddlewares) }
