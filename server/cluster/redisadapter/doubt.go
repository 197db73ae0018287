package redisadapter

// doubt is the suspicion that a subscribed connection leads to another server than the
// one this node publishes at. An answer of the publishing side raises it. That answer is
// no proof: the connection may have ended, and a node under load may not have read that
// yet. So raise sends a PING on the connection, and the doubt is justified when Redis
// answers it: then the connection has been open all along, and everything before the
// answer has been read. A connection that has ended does not answer.
//
// The zero value doubts no connection.
type doubt struct {
	of       *connection
	answered <-chan struct{}
}

// raise starts a doubt of the connection, unless there is one already.
func (d *doubt) raise(c *connection) {
	if d.of != c {
		*d = doubt{c, c.ask()}
	}
}

// justified reports whether the connection is doubted and has answered the PING.
func (d *doubt) justified(c *connection) bool {
	if d.of == nil || d.of != c {
		return false
	}
	select {
	case <-d.answered:
		return true
	default:
		return false
	}
}
