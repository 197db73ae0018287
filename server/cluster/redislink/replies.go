package redislink

import (
	"bytes"
	"context"
	"net"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// go-redis trusts its server: it allocates what the length of a text or an array
// announces, reads a line of any length, and recurses into arrays. A server that is
// broken or hostile, or none at all behind a wrong port, could end the process with one
// line. So every reply is checked before go-redis sees it.

// ErrInvalidReply: what arrives is not the protocol of Redis, or exceeds a bound.
const ErrInvalidReply = Problem("Redis has sent an invalid reply")

// Bounds of one reply. Redis' largest ones are its commands and the slots of a cluster.
const (
	maxLine     = 64 << 10  // bytes of an error, a status or an integer
	maxElements = 128 << 10 // of arrays that are incomplete, together
	maxNesting  = 32        // of arrays
	elementSize = 64        // bytes that an element counts for, besides its text
)

// Checked returns a dial function whose connections end with ErrInvalidReply at the
// first reply that is not RESP2, or larger than maxReply bytes. The client must not use
// RESP3.
func Checked(dial Dial, maxReply int) Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &checkedConn{Conn: conn, replies: replies{most: maxReply}}, nil
	}
}

// checkedConn checks what is read.
type checkedConn struct {
	net.Conn
	replies replies
}

func (c *checkedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.replies.check(b[:n]) {
		return 0, ErrInvalidReply
	}
	return n, err
}

// SyscallConn is that of a link.
func (c *checkedConn) SyscallConn() (syscall.RawConn, error) { return rawConn(c.Conn) }

// replies checks a stream of replies, which arrive in parts.
type replies struct {
	most   int // bytes of a reply
	broken bool

	size    int   // of the reply so far
	left    []int // elements that each incomplete array lacks; the outermost is first
	waiting int   // sum of left
	skip    int   // bytes of a text that have not arrived
	line    int   // bytes of the line so far
	head    [24]byte
}

// check reports whether b continues valid replies. After false it always returns false.
func (r *replies) check(b []byte) bool {
	for len(b) > 0 && !r.broken {
		if r.skip > 0 {
			n := min(r.skip, len(b))
			b = b[n:]
			if r.skip -= n; r.skip == 0 {
				r.element()
			}
			continue
		}
		part, rest, ended := bytes.Cut(b, []byte{'\n'})
		if r.line < len(r.head) {
			copy(r.head[r.line:], part)
		}
		r.line += len(part)
		if b = rest; ended {
			r.header()
			r.line = 0
		} else if r.line > maxLine {
			r.broken = true
		}
	}
	return !r.broken
}

// header handles a line, of which head has the beginning.
func (r *replies) header() {
	if r.line < 2 || r.line > maxLine {
		r.broken = true
		return
	}
	switch r.head[0] {
	case '+', '-', ':':
		r.grow(r.line)
		r.element()
	case '$':
		n, ok := r.length()
		if !ok || !r.grow(max(n, 0)) {
			r.broken = true
		} else if n < 0 {
			r.element()
		} else {
			r.skip = n + len("\r\n")
		}
	case '*':
		n, ok := r.length()
		if !ok || !r.grow(0) || n > maxElements-r.waiting || len(r.left) == maxNesting {
			r.broken = true
		} else if n <= 0 {
			r.element()
		} else {
			r.left = append(r.left, n)
			r.waiting += n
		}
	default:
		r.broken = true
	}
}

// length returns the number in the line; -1 is a text or an array that does not exist.
func (r *replies) length() (n int, ok bool) {
	if r.line > len(r.head) {
		return 0, false
	}
	digits, ok := bytes.CutSuffix(r.head[1:r.line], []byte{'\r'})
	if !ok || len(digits) == 0 {
		return 0, false
	}
	if string(digits) == "-1" {
		return -1, true
	}
	for _, d := range digits {
		if d < '0' || d > '9' || n > r.most {
			return 0, false
		}
		n = 10*n + int(d-'0')
	}
	return n, true
}

// grow adds an element with so many bytes to the size of the reply.
func (r *replies) grow(bytes int) bool {
	if bytes > r.most-elementSize-r.size {
		r.broken = true
		return false
	}
	r.size += elementSize + bytes
	return true
}

// element ends an element, and with it the arrays that it completes.
func (r *replies) element() {
	for i := len(r.left) - 1; i >= 0; i-- {
		r.waiting--
		if r.left[i]--; r.left[i] > 0 {
			return
		}
		r.left = r.left[:i]
	}
	r.size = 0
}

// Receive returns the next message of a subscription, as its ReceiveTimeout does; a
// timeout of 0 means none. If go-redis panics because a reply is no message, Receive
// returns ErrInvalidReply. The subscription must be closed after any error.
func Receive(ctx context.Context, sub *redis.PubSub, timeout time.Duration) (message any, err error) {
	defer func() {
		if recover() != nil { // go-redis holds no lock while it converts a reply
			message, err = nil, ErrInvalidReply
		}
	}()
	return sub.ReceiveTimeout(ctx, timeout)
}
