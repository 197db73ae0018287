package load

import (
	"fmt"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/proc"
	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

const (
	burstRoom  = "burst"
	burstLimit = 5 * time.Minute // for all deliveries of a burst
)

// burst is the workload Burst: the first client publishes to a room of all clients. Its updates are numbered from 1.
type burst struct {
	run       *run
	seen      [][]bool // by client and number
	last      []int    // highest number received, by client
	acked     int
	delivered int64 // without repeated deliveries
	twice     int64
	late      int64
	latest    time.Time // of the last delivery or acknowledgement
}

func newBurst(r *run) *burst {
	w := &burst{run: r, seen: make([][]bool, r.spec.Conns), last: make([]int, r.spec.Conns)}
	for i := range w.seen {
		w.seen[i] = make([]bool, r.spec.Updates+1)
	}
	return w
}

func (w *burst) ready(c sio.Client)            { join(c, burstRoom) }
func (w *burst) attachment(sio.Client, []byte) {}
func (w *burst) send(sio.Client, time.Time)    {} // there is no steady load
func (w *burst) publishers() []sio.Client      { return w.run.clients[:1] }
func (w *burst) wanted() int64                 { return int64(len(w.seen)) * int64(w.run.spec.Updates) }
func (w *burst) outstanding() int64 {
	return w.wanted() - w.delivered + int64(w.run.spec.Updates-w.acked)
}

func (w *burst) packet(c sio.Client, p []byte) {
	w.latest = time.Now()
	if !isEvent(p, "update") {
		switch err := refusal(p); {
		case err != nil:
			w.run.fail(err)
		case isJoined(p):
			w.run.settle()
		case p[0] == sio.Ack:
			w.acked++
		}
		return
	}
	i := c.Index()
	stamp, ok := stamped(p)
	if !ok || stamp < 1 || stamp > int64(w.run.spec.Updates) {
		w.run.fail(fmt.Errorf("update without a valid number: %.200s", p))
		return
	}
	n := int(stamp)
	switch {
	case w.seen[i][n]:
		w.twice++
		return
	case n < w.last[i]:
		w.late++
	default:
		w.last[i] = n
	}
	w.seen[i][n] = true
	w.delivered++
	w.run.complete(w.run.start)
}

// burst runs the workload Burst: it queues all updates at once, and ends when nothing is outstanding, or when nothing has arrived
// for the duration of timing.drain.
func (r *run) burst() (Result, error) {
	w := newBurst(r)
	r.workload = w
	if err := r.dialAll(); err != nil {
		return Result{Spec: r.spec}, err
	}
	if err := r.wait("settling", min(r.timing.Settle, 2*time.Second), nil, nil); err != nil {
		return Result{Spec: r.spec}, err
	}
	res, err := r.measure(func() error {
		r.start, w.latest = time.Now(), time.Now()
		var b []byte
		for n := 1; n <= r.spec.Updates; n++ {
			b = appendUpdate(b[:0], int64(n), burstRoom, int64(n), nil)
			r.clients[0].Send(b)
		}
		return r.wait("bursting", burstLimit,
			func() float64 { return float64(w.delivered) / float64(w.wanted()) },
			func() bool { return w.outstanding() == 0 || time.Since(w.latest) > r.timing.drain })
	})
	if err != nil {
		return res, err
	}
	res.Seconds = w.latest.Sub(r.start).Seconds() // without waiting for lost updates
	res.PerSecond = float64(res.Messages) / res.Seconds
	// Repeated deliveries may arrive last.
	if err := r.wait("draining", min(r.timing.drain, time.Second), nil, nil); err != nil {
		return res, err
	}
	res.Lost, res.Twice, res.Late = w.wanted()-w.delivered, w.twice, w.late
	if res.RSS, err = r.rss(); err != nil {
		return res, err
	}
	res.Peak, err = r.sum(proc.Peak)
	return res, err
}
