package load

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

// publish is the workload Publish: each client publishes to a room that only it is in.
type publish struct {
	run     *run
	quota   int // messages per client; 0: no limit
	payload []byte
	waiting []fifo
	sent    []int // messages sent, by client
	updates []int // updates received, by client
	id      int64
	under   int64 // acknowledgements plus updates that have not arrived
	done    int   // clients that have reached the quota
	buf     []byte
}

func newPublish(r *run, quota int) *publish {
	largest := 0
	for _, size := range r.spec.Sizes {
		largest = max(largest, size)
	}
	return &publish{run: r, quota: quota, payload: bytes.Repeat([]byte("0123456789abcdef"), largest/16+1),
		waiting: make([]fifo, r.spec.Conns), sent: make([]int, r.spec.Conns), updates: make([]int, r.spec.Conns)}
}

func solo(c sio.Client) string { return fmt.Sprintf("solo-%d", c.Index()) }

func (w *publish) ready(c sio.Client)       { join(c, solo(c)) }
func (w *publish) publishers() []sio.Client { return w.run.clients }
func (w *publish) outstanding() int64       { return w.under }

func (w *publish) send(c sio.Client, due time.Time) {
	i := c.Index()
	body := w.payload[:w.run.spec.Sizes[w.sent[i]%len(w.run.spec.Sizes)]]
	w.sent[i]++
	w.waiting[i].push(due)
	w.under += 2
	w.id++
	b := w.buf[:0]
	if w.run.spec.Binary {
		b = append(b, "51-"...)
	} else {
		b = append(b, sio.Event)
	}
	b = append(strconv.AppendInt(b, w.id, 10), `["publish-update",{"roomId":"solo-`...)
	b = append(strconv.AppendInt(b, int64(i), 10), `","type":"bench","payload":{"data":`...)
	if w.run.spec.Binary {
		b = append(b, `{"_placeholder":true,"num":0}}}]`...)
	} else {
		b = append(append(append(b, '"'), body...), `"}}]`...)
	}
	w.buf = b
	c.Send(b)
	if w.run.spec.Binary {
		c.SendAttachment(body)
	}
}

func (w *publish) packet(c sio.Client, p []byte) {
	switch {
	case isJoined(p) && refusal(p) == nil:
		w.run.settle()
	case isEvent(p, "update"):
		if !w.run.spec.Binary {
			w.received(c, len(p))
		}
	case p[0] == sio.Ack && refusal(p) == nil:
		w.acknowledged(c)
	default:
		if err := refusal(p); err != nil {
			w.run.fail(err)
		}
	}
}

func (w *publish) attachment(c sio.Client, p []byte) { w.received(c, len(p)) }

// received counts an update of size bytes, which must be at least the size of the payload sent.
func (w *publish) received(c sio.Client, size int) {
	i := c.Index()
	if want := w.run.spec.Sizes[w.updates[i]%len(w.run.spec.Sizes)]; size < want {
		w.run.fail(fmt.Errorf("update %d has %d bytes, the payload sent had %d", w.updates[i], size, want))
	}
	w.updates[i]++
	w.under--
}

func (w *publish) acknowledged(c sio.Client) {
	i := c.Index()
	due, ok := w.waiting[i].pop()
	if !ok {
		w.run.fail(sio.ErrProtocol)
		return
	}
	w.under--
	w.run.complete(due)
	switch {
	case w.quota > 0 && w.sent[i] == w.quota:
		w.done++
		c.Send(fmt.Appendf(nil, `2["leave-room",{"roomId":%q}]`, solo(c)))
	case !w.run.paced && !w.run.stopping:
		w.send(c, time.Now())
	}
}
