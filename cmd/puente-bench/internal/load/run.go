package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/loop"
	"github.com/puente-io/puente/cmd/puente-bench/internal/proc"
	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
	"github.com/puente-io/puente/cmd/puente-bench/internal/stats"
)

// Errors of a run.
var (
	ErrBrokeOff = errors.New("load: broke off")
	ErrLost     = errors.New("load: messages were lost")
)

const (
	dialAtOnce   = 64 // concurrent handshakes, except for Connect and Idle's warm-up
	progressStep = 100 * time.Millisecond
	pingPeriod   = 20 * time.Second // shorter than the time after which any server misses a ping
)

// connectLimit returns how long it may take to open all connections, or for each to do something once.
func (r *run) connectLimit() time.Duration {
	return 40*time.Second + time.Duration(r.spec.Conns)*6*time.Millisecond
}

// Target is the server under load.
type Target struct {
	// Nodes are the server's processes: client i connects to node i modulo their number. Their URLs must have the same scheme.
	Nodes []Node
	// BrokerPID is the process id of Redis on this machine, or 0.
	BrokerPID int
	// Token is the token of every client. If it is "", each client is a different user with a token signed with Secret; if that
	// is "" too, clients send no token.
	Token, Secret string
	// Insecure disables the verification of the server's certificate.
	Insecure bool
}

// Node is a process of a server.
type Node struct {
	// URL is http://host:port/socket.io/ or https://…; the path may be omitted.
	URL string
	// PID is the process id, or 0 if the process is not on this machine.
	PID int
}

// Progress reports the progress of a run: the phase, and the part of it that is done, from 0 to 1. It is called often, on the
// goroutine that runs the load, and must return quickly.
type Progress func(phase string, done float64)

// Run runs a workload against a server and returns the measurements. It blocks until the run ends, and closes all connections.
// progress may be nil. Errors wrap ErrBrokeOff or ErrLost if the server failed the workload.
func Run(ctx context.Context, t Target, s Spec, timing Timing, progress Progress) (Result, error) {
	s, err := s.withDefaults()
	if err != nil {
		return Result{}, err
	}
	if len(t.Nodes) != s.Nodes {
		return Result{}, fmt.Errorf("load: %s is for %d nodes, there are %d", s.Name, s.Nodes, len(t.Nodes))
	}
	var addrs []string
	var options [][]*sio.Options
	var config *tls.Config
	for i, n := range t.Nodes {
		u, err := url.Parse(n.URL)
		if err != nil {
			return Result{}, err
		}
		port := "80"
		switch u.Scheme {
		case "http", "ws":
		case "https", "wss":
			config = &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: t.Insecure}
			port = "443"
		default:
			return Result{}, fmt.Errorf("load: scheme of %q is not http, https, ws or wss", n.URL)
		}
		if u.Port() != "" {
			port = u.Port()
		}
		if u.Path == "/" {
			u.Path = "" // the default
		}
		addrs = append(addrs, net.JoinHostPort(u.Hostname(), port))
		forms := make([]*sio.Options, max(len(s.Forms), 1))
		for j := range forms {
			forms[j] = &sio.Options{Node: i, Host: u.Host, Path: u.Path, Browser: s.Browser}
		}
		for j, f := range s.Forms {
			forms[j].Form = f
		}
		options = append(options, forms)
	}
	l, err := loop.New(addrs, config)
	if err != nil {
		return Result{}, err
	}
	defer l.Close()
	r := &run{
		ctx: ctx, target: t, spec: s, timing: timing.withDefaults(), progress: progress, loop: l,
		options: options, latency: stats.NewRecorder(), start: time.Now(),
	}
	defer r.loop.Tick(pingPeriod, func(time.Time) {
		for _, c := range r.clients {
			c.Ping()
		}
	})()
	switch s.Kind {
	case Connect:
		return r.connect()
	case Idle:
		return r.idle()
	case Burst:
		return r.burst()
	case Echo:
		r.workload = &echo{run: r, waiting: make([]fifo, s.Conns)}
	case Publish:
		r.workload = newPublish(r, 0)
	case Fanout:
		r.workload = newFanout(r)
	case Rooms:
		r.workload = &rooms{run: r}
	case Polling:
		r.workload = &polling{run: r, waiting: make([]fifo, s.Conns)}
	}
	return r.steady()
}

// workload is the behaviour of the clients of a Kind. The loop calls its methods.
type workload interface {
	// ready is called for each client when it is connected. It calls run.settle when the client is ready for the load.
	ready(c sio.Client)
	// packet and attachment handle what a client receives.
	packet(c sio.Client, p []byte)
	attachment(c sio.Client, p []byte)
	// send sends a message of a client, due at the given time. The workload itself sends the next message when one is
	// completed, unless run.paced or run.stopping is set.
	send(c sio.Client, due time.Time)
	// publishers returns the clients that send.
	publishers() []sio.Client
	// outstanding returns the number of answers or deliveries that have not arrived.
	outstanding() int64
}

type run struct {
	ctx      context.Context
	target   Target
	spec     Spec
	timing   Timing
	progress Progress
	loop     loop.Loop
	options  [][]*sio.Options // by node and form
	workload workload
	clients  []sio.Client
	latency  *stats.Recorder
	start    time.Time
	reported time.Time

	settled   int   // clients that are ready for the load
	count     int64 // messages completed while measured
	err       error // the first failure
	paced     bool
	stopping  bool
	measuring bool
}

// fail ends the run with its first failure.
func (r *run) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %w", ErrBrokeOff, err)
	}
}

// Ready, Packet, Attachment and Closed implement sio.Handler for all clients.
func (r *run) Ready(c sio.Client)                { r.workload.ready(c) }
func (r *run) Packet(c sio.Client, p []byte)     { r.workload.packet(c, p) }
func (r *run) Attachment(c sio.Client, p []byte) { r.workload.attachment(c, p) }
func (r *run) Closed(c sio.Client, err error) {
	r.fail(fmt.Errorf("connection %d of %d: %w", c.Index(), r.spec.Conns, err))
}

// settle counts a client that is ready for the load.
func (r *run) settle() { r.settled++ }

// complete counts a completed message and records its latency since due.
func (r *run) complete(due time.Time) {
	if r.measuring {
		r.count++
		r.latency.Add(time.Since(due))
	}
}

// dial connects client i.
func (r *run) dial(i int, h sio.Handler) sio.Client {
	token := r.target.Token
	if token == "" && r.target.Secret != "" {
		var err error
		if token, err = sio.Token(r.target.Secret, fmt.Sprintf("user-%d", i)); err != nil {
			r.fail(err)
		}
	}
	// The clients of each node have all forms.
	forms := r.options[i%r.spec.Nodes]
	options := forms[i/r.spec.Nodes%len(forms)]
	if r.spec.Kind == Polling {
		return sio.DialPolling(r.loop, options, i, token, h)
	}
	return sio.DialWebSocket(r.loop, options, i, token, h)
}

// wait runs the loop until done returns true, or for the duration of limit if done is nil.
func (r *run) wait(phase string, limit time.Duration, share func() float64, done func() bool) error {
	began := time.Now()
	if share == nil {
		share = func() float64 { return float64(time.Since(began)) / float64(limit) }
	}
	err := r.loop.Run(r.ctx, limit, func() bool {
		if now := time.Now(); r.progress != nil && now.Sub(r.reported) >= progressStep {
			r.reported = now
			r.progress(phase, min(share(), 1))
		}
		return r.err != nil || done != nil && done()
	})
	switch {
	case r.err != nil:
		return r.err
	case errors.Is(err, loop.ErrTimeout) && done == nil:
		return nil
	case errors.Is(err, loop.ErrTimeout):
		return fmt.Errorf("%w: %s took longer than %v", ErrBrokeOff, phase, limit)
	}
	return err
}

// dialAll connects all clients, dialAtOnce at a time, and waits until all are settled.
func (r *run) dialAll() error {
	return r.wait("connecting", r.connectLimit(),
		func() float64 { return float64(r.settled) / float64(r.spec.Conns) },
		func() bool {
			for len(r.clients) < r.spec.Conns && len(r.clients)-r.settled < dialAtOnce && r.err == nil {
				r.clients = append(r.clients, r.dial(len(r.clients), r))
			}
			return r.settled == r.spec.Conns
		})
}

// measure runs f and returns the messages, latency and CPU times during it.
func (r *run) measure(f func() error) (Result, error) {
	res := Result{Spec: r.spec}
	r.count = 0
	r.latency.Reset()
	server, err := r.serverCPU()
	broker, err1 := r.brokerCPU()
	own, err2 := cpuOrNone(os.Getpid())
	if err := errors.Join(err, err1, err2); err != nil {
		return res, err
	}
	began := time.Now()
	r.measuring = true
	err = f()
	r.measuring = false
	res.Seconds = time.Since(began).Seconds()
	if err != nil {
		return res, err
	}
	server2, err := r.serverCPU()
	broker2, err1 := r.brokerCPU()
	own2, err2 := cpuOrNone(os.Getpid())
	res.Messages = r.count
	res.PerSecond = float64(r.count) / res.Seconds
	res.CPU = micros(server2-server, r.count)
	res.BrokerCPU = micros(broker2-broker, r.count)
	res.ClientCPU = micros(own2-own, r.count)
	res.Latency = r.latency.Latency()
	if r.count == 0 {
		err = errors.Join(err, fmt.Errorf("%w: no message was completed in %.1f s", ErrBrokeOff, res.Seconds))
	}
	return res, errors.Join(err, err1, err2)
}

// steady runs a workload that has no end of its own.
func (r *run) steady() (Result, error) {
	if err := r.dialAll(); err != nil {
		return Result{Spec: r.spec}, err
	}
	stop := r.begin()
	defer stop()
	if err := r.wait("warming up", r.timing.Warmup, nil, nil); err != nil {
		return Result{Spec: r.spec}, err
	}
	res, err := r.measure(func() error {
		if err := r.wait("measuring", r.timing.Measure, nil, nil); err != nil || r.count > 0 {
			return err
		}
		return r.wait("waiting for a message", r.timing.drain, nil, func() bool { return r.count > 0 })
	})
	if err != nil {
		return res, err
	}
	r.stopping = true
	stop()
	if err := r.wait("draining", r.timing.drain, nil, func() bool { return r.workload.outstanding() == 0 }); err != nil {
		return res, fmt.Errorf("%w: %d did not arrive: %w", ErrLost, r.workload.outstanding(), err)
	}
	if res.RSS, err = r.rss(); err != nil {
		return res, err
	}
	return res, nil
}

// begin starts the load. It returns a function that stops a load with a fixed rate.
func (r *run) begin() (stop func()) {
	publishers := r.workload.publishers()
	if r.spec.Rate == 0 {
		for range r.spec.InFlight {
			for _, c := range publishers {
				r.workload.send(c, time.Now())
			}
		}
		return func() {}
	}
	r.paced = true
	// Shorter ticks would cost more than the messages; at higher rates several messages share a tick.
	const shortest = 250 * time.Microsecond
	period := max(time.Duration(float64(time.Second)/r.spec.Rate), shortest)
	perTick := r.spec.Rate * period.Seconds()
	next, credit := 0, 0.0
	return r.loop.Tick(period, func(due time.Time) {
		for credit += perTick; credit >= 1 && !r.stopping; credit-- {
			r.workload.send(publishers[next], due)
			next = (next + 1) % len(publishers)
		}
	})
}

// sum returns the sum of a figure over the nodes whose process is known.
func (r *run) sum(of func(pid int) (int64, error)) (total int64, err error) {
	for _, n := range r.target.Nodes {
		if n.PID != 0 {
			v, err := of(n.PID)
			if err != nil {
				return 0, err
			}
			total += v
		}
	}
	return total, nil
}

func (r *run) serverCPU() (time.Duration, error) {
	ns, err := r.sum(func(pid int) (int64, error) {
		d, err := proc.CPU(pid)
		return d.Nanoseconds(), err
	})
	return time.Duration(ns), err
}

func (r *run) brokerCPU() (time.Duration, error) {
	if r.target.BrokerPID == 0 {
		return 0, nil
	}
	return proc.CPU(r.target.BrokerPID)
}

func (r *run) rss() (int64, error) { return r.sum(proc.RSS) }

// cpuOrNone is proc.CPU, but returns 0 on systems without /proc.
func cpuOrNone(pid int) (time.Duration, error) {
	d, err := proc.CPU(pid)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return d, err
}

func micros(d time.Duration, n int64) float64 {
	return float64(d.Microseconds()) / float64(max(n, 1))
}
