package load

import (
	"strconv"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

var ping = []byte(`2["ping"]`)

type echo struct {
	run     *run
	waiting []fifo
	under   int64
}

func (w *echo) ready(sio.Client)              { w.run.settle() }
func (w *echo) attachment(sio.Client, []byte) {}
func (w *echo) publishers() []sio.Client      { return w.run.clients }
func (w *echo) outstanding() int64            { return w.under }

func (w *echo) send(c sio.Client, due time.Time) {
	w.waiting[c.Index()].push(due)
	w.under++
	c.Send(ping)
}

func (w *echo) packet(c sio.Client, p []byte) {
	if !isEvent(p, "pong") {
		if err := refusal(p); err != nil {
			w.run.fail(err)
		}
		return
	}
	due, ok := w.waiting[c.Index()].pop()
	if !ok {
		w.run.fail(sio.ErrProtocol)
		return
	}
	w.under--
	w.run.complete(due)
	if !w.run.paced && !w.run.stopping {
		w.send(c, time.Now())
	}
}

// polling is the workload Polling: a round trip is an acknowledged event.
type polling struct {
	run     *run
	waiting []fifo
	id      int64
	under   int64
}

func (w *polling) ready(sio.Client)              { w.run.settle() }
func (w *polling) attachment(sio.Client, []byte) {}
func (w *polling) publishers() []sio.Client      { return w.run.clients }
func (w *polling) outstanding() int64            { return w.under }

func (w *polling) send(c sio.Client, due time.Time) {
	w.waiting[c.Index()].push(due)
	w.under++
	w.id++
	p := strconv.AppendInt([]byte{sio.Event}, w.id, 10)
	p = append(strconv.AppendInt(append(p, `["join-room",{"roomId":"solo-`...), int64(c.Index()), 10), `"}]`...)
	c.Send(p)
}

func (w *polling) packet(c sio.Client, p []byte) {
	if err := refusal(p); err != nil {
		w.run.fail(err)
		return
	}
	if p[0] != sio.Ack {
		return
	}
	due, ok := w.waiting[c.Index()].pop()
	if !ok {
		w.run.fail(sio.ErrProtocol)
		return
	}
	w.under--
	w.run.complete(due)
	if !w.run.paced && !w.run.stopping {
		w.send(c, time.Now())
	}
}
