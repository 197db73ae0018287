package load

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

// fifo holds the times at which the messages in flight on a connection were due. Answers arrive in the order of the messages.
type fifo struct {
	due  []time.Time
	head int
}

func (f *fifo) push(t time.Time) {
	if f.head == len(f.due) {
		f.due, f.head = f.due[:0], 0
	}
	f.due = append(f.due, t)
}

func (f *fifo) pop() (t time.Time, ok bool) {
	if f.head == len(f.due) {
		return t, false
	}
	t = f.due[f.head]
	f.head++
	return t, true
}

// isEvent reports whether p is an event of that name, binary or not.
func isEvent(p []byte, name string) bool {
	switch {
	case len(p) > 0 && p[0] == sio.Event:
		p = p[1:]
	case len(p) > 3 && p[0] == sio.BinaryEvent && p[2] == '-': // one attachment
		p = p[3:]
	default:
		return false
	}
	return len(p) > len(name)+3 && p[0] == '[' && p[1] == '"' && string(p[2:2+len(name)]) == name && p[2+len(name)] == '"'
}

// refusal returns an error if p is an error event or an acknowledgement without success.
func refusal(p []byte) error {
	if isEvent(p, "error") || len(p) > 0 && p[0] == sio.Ack && !bytes.Contains(p, []byte(`"success":true`)) {
		return fmt.Errorf("the server answered %.300s", p)
	}
	return nil
}

// stamp is the payload's key for the time at which the message was due, in nanoseconds since the start of the run.
const stamp = `"n":`

func (r *run) stampOf(due time.Time) int64 { return due.Sub(r.start).Nanoseconds() }

// stamped returns the stamp in p.
func stamped(p []byte) (int64, bool) {
	i := bytes.Index(p, []byte(stamp))
	if i < 0 {
		return 0, false
	}
	n, digits := int64(0), 0
	for _, c := range p[i+len(stamp):] {
		if c < '0' || c > '9' || digits == 18 {
			break
		}
		n = n*10 + int64(c-'0')
		digits++
	}
	return n, digits > 0
}

// join sends join-room with acknowledgement id 0.
func join(c sio.Client, room string) { c.Send(fmt.Appendf(nil, `20["join-room",{"roomId":%q}]`, room)) }

// isJoined reports whether p is the acknowledgement of join.
func isJoined(p []byte) bool { return bytes.HasPrefix(p, []byte("30[")) }

// appendUpdate appends a publish-update with the stamp n and records, if there are any.
func appendUpdate(dst []byte, id int64, room string, n int64, records []byte) []byte {
	dst = strconv.AppendInt(append(dst, sio.Event), id, 10)
	dst = append(append(append(dst, `["publish-update",{"roomId":"`...), room...), `","type":"bench","payload":{`...)
	dst = strconv.AppendInt(append(dst, stamp...), n, 10)
	if len(records) > 0 {
		dst = append(append(dst, `,"orders":`...), records...)
	}
	return append(dst, "}}]"...)
}
