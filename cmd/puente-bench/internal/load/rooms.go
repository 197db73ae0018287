package load

import (
	"bytes"
	"fmt"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

// fanout is the workload Fanout: the first client publishes to a room of all clients.
type fanout struct {
	run       *run
	last      []int64 // stamp of the last update received, by client
	stamp     int64   // of the last update published
	published int64
	delivered int64
	records   []byte // that each payload has besides the stamp, or nil
	buf       []byte
}

const fanoutRoom = "fan"

func newFanout(r *run) *fanout {
	return &fanout{run: r, last: make([]int64, r.spec.Conns), records: records(r.spec.Sizes[0])}
}

func (w *fanout) ready(c sio.Client)            { join(c, fanoutRoom) }
func (w *fanout) attachment(sio.Client, []byte) {}
func (w *fanout) publishers() []sio.Client      { return w.run.clients[:1] }
func (w *fanout) outstanding() int64            { return w.published*int64(len(w.last)) - w.delivered }

func (w *fanout) send(c sio.Client, due time.Time) {
	w.published++
	w.stamp = max(w.run.stampOf(due), w.stamp+1) // several updates may be due at one tick
	w.buf = appendUpdate(w.buf[:0], w.published, fanoutRoom, w.stamp, w.records)
	c.Send(w.buf)
}

func (w *fanout) packet(c sio.Client, p []byte) {
	if !isEvent(p, "update") {
		if err := refusal(p); err != nil {
			w.run.fail(err)
		} else if isJoined(p) {
			w.run.settle()
		}
		return
	}
	n, ok := stamped(p)
	switch i := c.Index(); {
	case !ok:
		w.run.fail(fmt.Errorf("update without a stamp: %.200s", p))
	case !bytes.Contains(p, w.records):
		w.run.fail(fmt.Errorf("connection %d got an update with other records: %.200s", i, p))
	case n == w.last[i]:
		w.run.fail(fmt.Errorf("connection %d got an update twice: %.200s", i, p))
	case n < w.last[i]:
		w.run.fail(fmt.Errorf("connection %d got an update after a later one: %.200s", i, p))
	default:
		w.last[i] = n
	}
	w.delivered++
	w.run.complete(w.run.start.Add(time.Duration(n)))
	if members := int64(len(w.last)); !w.run.paced && !w.run.stopping &&
		w.delivered%members == 0 && w.published-w.delivered/members < int64(w.run.spec.InFlight) {
		w.send(w.run.clients[0], time.Now())
	}
}

// rooms is the workload Rooms: in rooms of ten every member publishes.
type rooms struct {
	run       *run
	names     []string // by room
	id        int64
	delivered int64
	acked     int64
	buf       []byte
}

func (w *rooms) name(c sio.Client) string {
	room := c.Index() / roomSize
	for len(w.names) <= room {
		w.names = append(w.names, fmt.Sprintf("room-%d", len(w.names)))
	}
	return w.names[room]
}

func (w *rooms) ready(c sio.Client)            { join(c, w.name(c)) }
func (w *rooms) attachment(sio.Client, []byte) {}
func (w *rooms) publishers() []sio.Client      { return w.run.clients }
func (w *rooms) outstanding() int64            { return w.id*(roomSize+1) - w.delivered - w.acked }

func (w *rooms) send(c sio.Client, due time.Time) {
	w.id++
	w.buf = appendUpdate(w.buf[:0], w.id, w.name(c), w.run.stampOf(due), nil)
	c.Send(w.buf)
}

func (w *rooms) packet(c sio.Client, p []byte) {
	if isEvent(p, "update") {
		n, ok := stamped(p)
		if !ok {
			w.run.fail(fmt.Errorf("update without a stamp: %.200s", p))
		}
		w.delivered++
		w.run.complete(w.run.start.Add(time.Duration(n)))
		return
	}
	switch err := refusal(p); {
	case err != nil:
		w.run.fail(err)
	case isJoined(p):
		w.run.settle()
	case p[0] == sio.Ack:
		w.acked++
		if !w.run.paced && !w.run.stopping {
			w.send(c, time.Now())
		}
	}
}
