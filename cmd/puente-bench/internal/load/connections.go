package load

import (
	"fmt"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

const warmConns = 100 // connections opened and closed before connecting or memory is measured

// arrivals is the handler of clients that only connect.
type arrivals struct {
	run    *run
	dialed []time.Time
	ready  int
}

func (a *arrivals) Ready(c sio.Client) {
	a.ready++
	a.run.complete(a.dialed[c.Index()])
}
func (a *arrivals) Packet(_ sio.Client, p []byte) {
	if err := refusal(p); err != nil {
		a.run.fail(err)
	}
}
func (a *arrivals) Attachment(sio.Client, []byte)  {}
func (a *arrivals) Closed(c sio.Client, err error) { a.run.Closed(c, err) }

// arrive opens n connections, at most atOnce of them at a time.
func (r *run) arrive(phase string, n, atOnce int) ([]sio.Client, error) {
	a := &arrivals{run: r}
	var clients []sio.Client
	err := r.wait(phase, r.connectLimit(),
		func() float64 { return float64(a.ready) / float64(n) },
		func() bool {
			for len(clients) < n && len(clients)-a.ready < atOnce && r.err == nil {
				a.dialed = append(a.dialed, time.Now())
				clients = append(clients, r.dial(len(clients), a))
			}
			return a.ready == n
		})
	return clients, err
}

// warm opens and closes connections, so that what a server loads or compiles for its first ones is not measured.
func (r *run) warm() error {
	clients, err := r.arrive("warming up", warmConns, r.spec.InFlight)
	for _, c := range clients {
		c.Close()
	}
	if err != nil {
		return err
	}
	return r.wait("settling", min(r.timing.Settle, 2*time.Second), nil, nil)
}

// rehearse is warm with messages: it does with a few connections what idle does.
func (r *run) rehearse() error {
	conns := r.spec.Conns
	r.spec.Conns = min(conns, warmConns)
	traffic, err := r.dialIdle()
	if err == nil {
		r.workload = traffic
		err = r.traffic(traffic)
	}
	for _, c := range r.clients {
		c.Close()
	}
	r.clients, r.settled, r.spec.Conns = nil, 0, conns
	if err != nil {
		return err
	}
	return r.wait("settling", min(r.timing.Settle, 2*time.Second), nil, nil)
}

// dialIdle connects all clients, and returns the traffic that they have not begun.
func (r *run) dialIdle() (*publish, error) {
	traffic := newPublish(r, 3)
	// joinLater settles clients without joining, so that dialAll only waits for the connections.
	r.workload = &joinLater{publish: traffic}
	return traffic, r.dialAll()
}

// connect runs the workload Connect.
func (r *run) connect() (Result, error) {
	if err := r.warm(); err != nil {
		return Result{Spec: r.spec}, err
	}
	res, err := r.measure(func() error {
		_, err := r.arrive("connecting", r.spec.Conns, r.spec.InFlight)
		return err
	})
	if err == nil {
		res.RSS, err = r.rss()
	}
	return res, err
}

// idle runs the workload Idle.
func (r *run) idle() (Result, error) {
	res := Result{Spec: r.spec}
	if r.target.Nodes[0].PID == 0 {
		return res, fmt.Errorf("load: %s needs the process id of a server on this machine", r.spec.Name)
	}
	r.spec.Sizes = []int{1024}
	warm := r.warm
	if r.spec.Rehearse {
		warm = r.rehearse
	}
	if err := warm(); err != nil {
		return res, err
	}
	var err error
	if res.BaseRSS, err = r.rss(); err != nil {
		return res, err
	}
	traffic, err := r.dialIdle()
	if err != nil {
		return res, err
	}
	perConn := func(bytes int64) float64 { return float64(bytes-res.BaseRSS) / 1024 / float64(r.spec.Conns) }
	if err := r.wait("settling", r.timing.Settle, nil, nil); err != nil {
		return res, err
	}
	idle, err := r.rss()
	if err != nil {
		return res, err
	}
	res.IdleKiB = perConn(idle)
	r.workload = traffic
	measured, err := r.measure(func() error { return r.traffic(traffic) })
	if err != nil {
		return res, err
	}
	if err := r.wait("settling", r.timing.Settle, nil, nil); err != nil {
		return res, err
	}
	if measured.RSS, err = r.rss(); err != nil {
		return res, err
	}
	measured.BaseRSS, measured.IdleKiB, measured.UsedKiB = res.BaseRSS, res.IdleKiB, perConn(measured.RSS)
	return measured, nil
}

// traffic makes every client join its own room, publish its quota and leave.
func (r *run) traffic(w *publish) error {
	r.settled = 0
	asked, begun := 0, 0
	err := r.wait("traffic", r.connectLimit(), func() float64 { return float64(w.done) / float64(r.spec.Conns) }, func() bool {
		for ; asked < len(r.clients) && asked-w.done < dialAtOnce; asked++ {
			w.ready(r.clients[asked])
		}
		// Joins are only counted, not attributed to clients: publish when all clients asked so far have joined.
		if r.settled == asked {
			for ; begun < asked; begun++ {
				w.send(r.clients[begun], time.Now())
			}
		}
		return w.done == len(r.clients)
	})
	if err != nil {
		return err
	}
	return r.wait("draining", r.timing.drain, nil, func() bool { return w.outstanding() == 0 })
}

// joinLater is publish, but its clients are settled without joining.
type joinLater struct{ *publish }

func (w *joinLater) ready(sio.Client) { w.run.settle() }
func (w *joinLater) packet(_ sio.Client, p []byte) {
	if err := refusal(p); err != nil {
		w.run.fail(err)
	}
}
