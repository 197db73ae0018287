package redisadapter

// doubt is that a connection which is subscribed does not lead to where this node
// publishes. What raises it is an answer of the Redis that the node publishes to; but
// the connection may have ended without the node having read that yet, which under
// load takes a while. The doubt is justified once Redis has answered a PING on the
// connection that was sent after: the connection was open all the time, and what came
// on it before has been read. If the connection has ended, there is no answer.
//
// The zero doubt is none.
type doubt struct {
	of       *connection
	answered <-chan struct{}
}

// raise begins to doubt a connection, unless that has begun already.
func (d *doubt) raise(c *connection) {
	if d.of != c {
		*d = doubt{c, c.ask()}
	}
}

// justified reports whether the connection, which has been doubted, has answered.
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
