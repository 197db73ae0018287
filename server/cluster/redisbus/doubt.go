package redisbus

// doubt is the suspicion that a subscribed connection leads to another server than the
// one that this node publishes at. A reply on the publishing side raises it. That reply
// is no proof: the connection may have ended, and a node under load may not have read
// that yet. So raise sends a PING on the connection, and the doubt is justified when
// Redis replies: then the connection has been open all along, and everything before the
// reply has been read. A connection that has ended gets no reply.
//
// The zero value doubts no connection.
type doubt struct {
	of      *connection
	replied <-chan struct{}
}

// raise starts to doubt the connection, unless it is doubted already.
func (d *doubt) raise(c *connection) {
	if d.of != c {
		*d = doubt{c, c.requestPing()}
	}
}

// justified reports whether the connection is doubted and has got the reply to the
// PING.
func (d *doubt) justified(c *connection) bool {
	if d.of == nil || d.of != c {
		return false
	}
	select {
	case <-d.replied:
		return true
	default:
		return false
	}
}
