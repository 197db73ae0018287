package redisbustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/waittest"
)

// patience bounds a call that a machine must answer, however busy it is.
const patience = 30 * time.Second

// Cluster is what Run tests.
type Cluster interface {
	// Bus adds a node, which is closed with the test.
	Bus() redisbus.Bus
	// Away makes Redis unreachable, or reachable again.
	Away(bool)
}

// Run tests the buses of clusters. newCluster creates a cluster without nodes, which must
// end with the test. kind is the kind of channels that its buses publish to: Channel or
// Shard.
func Run(t *testing.T, kind redisbus.Kind, newCluster func(t *testing.T) Cluster) {
	for _, tc := range []struct {
		name string
		test func(s *suite)
	}{
		{"Delivery", (*suite).delivery},
		{"Order", (*suite).order},
		{"Large", (*suite).large},
		{"Patterns", (*suite).patterns},
		{"FirstReceiver", (*suite).firstReceiver},
		{"Inactive", (*suite).inactive},
		{"Unsubscribe", (*suite).unsubscribe},
		{"Subscribers", (*suite).subscribers},
		{"Outcomes", (*suite).outcomes},
		{"OneAtATime", (*suite).oneAtATime},
		{"SlowReceiver", (*suite).slowReceiver},
		{"Health", (*suite).health},
		{"Away", (*suite).away},
		{"Close", (*suite).close},
		{"Concurrency", (*suite).concurrency},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // most of the tests wait
			tc.test(&suite{t, kind, newCluster(t)})
		})
	}
}

// suite is one test.
type suite struct {
	*testing.T
	kind    redisbus.Kind
	cluster Cluster
}

func (s *suite) node() redisbus.Bus { return s.cluster.Bus() }

func (s *suite) target(name string) redisbus.Target { return redisbus.Target{Kind: s.kind, Name: name} }

// eventually waits until cond returns true.
func (s *suite) eventually(what string, cond func() bool) {
	s.Helper()
	waittest.Until(s, what, cond)
}

// recorder records what it receives, as "channel payload".
type recorder struct {
	inactive atomic.Bool
	entered  chan struct{} // if not nil, gets an element at each message
	proceed  chan struct{} // if not nil, Receive waits for it

	mu       sync.Mutex
	messages []string
	backlogs []redisbus.Backlog
	busy     int
	overlap  bool
}

func (r *recorder) Active() bool { return !r.inactive.Load() }

func (r *recorder) Receive(channel, payload string, b redisbus.Backlog) {
	r.mu.Lock()
	r.busy++
	r.overlap = r.overlap || r.busy > 1
	r.mu.Unlock()
	if r.entered != nil {
		select {
		case r.entered <- struct{}{}:
		default:
		}
	}
	if r.proceed != nil {
		<-r.proceed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
	r.messages = append(r.messages, channel+" "+payload)
	r.backlogs = append(r.backlogs, b)
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

func (r *recorder) has(message string) bool { return slices.Contains(r.all(), message) }

// outcome records an outcome.
type outcome func(error)

func (o outcome) Resolve(err error) { o(err) }

// subscribe subscribes and waits until that is confirmed.
func (s *suite) subscribe(b redisbus.Bus, r redisbus.Receiver, targets ...redisbus.Target) {
	s.Helper()
	b.Subscribe(r, targets...)
	s.ready(b, targets...)
}

func (s *suite) ready(b redisbus.Bus, targets ...redisbus.Target) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.eventually("the subscriptions are confirmed", func() bool { return b.Ready(ctx, targets...) == nil })
}

// join makes the bus a node of the cluster: it subscribes r to "all" and a channel of the
// node, watches them, and waits until the bus publishes.
func (s *suite) join(b redisbus.Bus, r redisbus.Receiver, name string) {
	s.Helper()
	l := &redisbus.Landmark{Shared: s.target("all"), Own: s.target("own:" + name)}
	s.subscribe(b, r, l.Shared, l.Own)
	b.Watch(l)
	s.eventually("the bus publishes", func() bool { return b.Away(s.Context(), "all") == nil && !b.Health().Degraded })
}

// two returns two nodes with receivers.
func (s *suite) two() (a, b redisbus.Bus, ra, rb *recorder) {
	a, b, ra, rb = s.node(), s.node(), new(recorder), new(recorder)
	s.join(a, ra, "a")
	s.join(b, rb, "b")
	return a, b, ra, rb
}

func (s *suite) publish(b redisbus.Bus, channel, payload string) {
	s.Helper()
	if err := b.Publish(s.Context(), redisbus.Message{Channel: channel, Payload: []byte(payload)}, true); err != nil {
		s.Fatalf("Publish: %v", err)
	}
}

// A message reaches all subscribers of its channel, the publisher included, and no
// other.
func (s *suite) delivery() {
	a, b, ra, rb := s.two()
	s.subscribe(a, ra, s.target("x"))
	s.subscribe(b, rb, s.target("y"))
	s.publish(a, "x", "1")
	s.publish(a, "y", "2\x00\xff")
	s.publish(a, "nobody", "3")
	s.publish(a, "all", "end")
	for _, r := range []*recorder{ra, rb} {
		s.eventually("the last message has arrived", func() bool { return r.has("all end") })
	}
	if got, want := ra.all(), []string{"x 1", "all end"}; !slices.Equal(got, want) {
		s.Errorf("the publisher received %q, want %q", got, want)
	}
	if got, want := rb.all(), []string{"y 2\x00\xff", "all end"}; !slices.Equal(got, want) {
		s.Errorf("the other node received %q, want %q", got, want)
	}
	// Subscribers may have the messages before the publisher has Redis' answer.
	s.eventually("all messages are counted", func() bool { return a.Stats().Published == 4 })
	if got := a.Stats(); got.Dropped != 0 || got.Gaps != 0 {
		s.Errorf("stats %+v", got)
	}
}

func (s *suite) order() {
	a, _, _, rb := s.two()
	const n = 2000
	for i := range n {
		s.publish(a, "all", fmt.Sprint(i))
	}
	s.eventually("all have arrived", func() bool { return len(rb.all()) == n })
	for i, m := range rb.all() {
		if m != fmt.Sprint("all ", i) {
			s.Fatalf("message %d is %q", i, m)
		}
	}
}

func (s *suite) large() {
	a, _, _, rb := s.two()
	payload := strings.Repeat("x", 3<<20)
	s.publish(a, "all", payload)
	s.eventually("the message has arrived", func() bool { return rb.has("all " + payload) })
}

// A pattern matches many characters with *, and a character that is escaped only itself.
func (s *suite) patterns() {
	if s.kind == redisbus.Shard {
		s.Skip("shard channels have no patterns")
	}
	a, b, _, rb := s.two()
	s.subscribe(b, rb, redisbus.Target{Kind: redisbus.Pattern, Name: `p\*#/#*`})
	for _, channel := range []string{"p*#/#", "p*#/#room#", "px#/#", "p*#/", "xp*#/#"} {
		s.publish(a, channel, "m")
	}
	s.publish(a, "all", "end")
	s.eventually("the last message has arrived", func() bool { return rb.has("all end") })
	if got, want := rb.all(), []string{"p*#/# m", "p*#/#room# m", "all end"}; !slices.Equal(got, want) {
		s.Errorf("received %q, want %q", got, want)
	}
}

// A target keeps its first receiver until that unsubscribes.
func (s *suite) firstReceiver() {
	a, b, _, rb := s.two()
	other := new(recorder)
	s.subscribe(b, rb, s.target("x"))
	b.Subscribe(other, s.target("x"))
	b.Unsubscribe(other, s.target("x"))
	s.ready(b, s.target("x"))
	s.publish(a, "x", "1")
	s.eventually("the first receiver has it", func() bool { return rb.has("x 1") })
	b.Unsubscribe(rb, s.target("x"))
	s.subscribe(b, other, s.target("x"))
	s.publish(a, "x", "2")
	s.eventually("the second receiver has it", func() bool { return other.has("x 2") })
	if rb.has("x 2") || other.has("x 1") {
		s.Errorf("the receivers have %q and %q", rb.all(), other.all())
	}
}

// A receiver that is not active cannot subscribe.
func (s *suite) inactive() {
	a, b, _, rb := s.two()
	old := new(recorder)
	s.subscribe(b, old, s.target("x"))
	old.inactive.Store(true)
	b.UnsubscribeAll(old)
	b.Subscribe(old, s.target("x"))
	s.subscribe(b, rb, s.target("x"))
	s.publish(a, "x", "1")
	s.eventually("the active receiver has it", func() bool { return rb.has("x 1") })
	if old.has("x 1") {
		s.Error("the inactive receiver has it")
	}
}

// In the end a node is subscribed to what it has subscribed to last, however often it
// has changed its mind.
func (s *suite) unsubscribe() {
	a, b, _, rb := s.two()
	for i := range 500 {
		t := s.target(fmt.Sprint("x", i))
		b.Subscribe(rb, t)
		if i%3 > 0 {
			b.Unsubscribe(rb, t)
		}
		if i%3 > 1 {
			b.Subscribe(rb, t)
		}
	}
	has := func(i, want int) func() bool {
		return func() bool {
			n, err := a.Subscribers(s.Context(), s.target(fmt.Sprint("x", i)))
			return err == nil && n == want
		}
	}
	for i := range 500 {
		want := 1
		if i%3 == 1 {
			want = 0
		}
		s.eventually(fmt.Sprintf("channel %d has %d subscribers", i, want), has(i, want))
	}
	b.UnsubscribeAll(rb)
	for _, i := range []int{0, 2, 498} {
		s.eventually("there are no subscribers", has(i, 0))
	}
}

func (s *suite) subscribers() {
	a, b, _, _ := s.two()
	for name, want := range map[string]int{"all": 2, "own:a": 1, "own:b": 1, "nobody": 0} {
		if got, err := b.Subscribers(s.Context(), s.target(name)); got != want || err != nil {
			s.Errorf("%s: %d subscribers, %v; want %d", name, got, err, want)
		}
	}
	a.Close()
	s.eventually("one node is left", func() bool {
		n, err := b.Subscribers(s.Context(), s.target("all"))
		return n == 1 && err == nil
	})
}

// Outcomes are resolved once each, in the order of the messages. One that panics does
// not prevent the others.
func (s *suite) outcomes() {
	a, _, _, rb := s.two()
	var mu sync.Mutex
	var got []int
	const n = 500
	for i := range n {
		o := outcome(func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.Errorf("message %d: %v", i, err)
			}
			got = append(got, i)
		})
		if err := a.Publish(s.Context(), redisbus.Message{Channel: "all", Payload: []byte("m"), Outcome: o}, true); err != nil {
			s.Fatal(err)
		}
	}
	s.eventually("all are resolved", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == n })
	if !slices.IsSorted(got) {
		s.Errorf("out of order: %v", got)
	}
	s.eventually("all have arrived", func() bool { return len(rb.all()) == n })
}

// The receivers of a node are called one at a time.
func (s *suite) oneAtATime() {
	a, b, _, rb := s.two()
	for i := range 10 {
		s.subscribe(b, rb, s.target(fmt.Sprint("x", i)))
	}
	for i := range 500 {
		s.publish(a, fmt.Sprint("x", i%10), fmt.Sprint(i))
	}
	s.eventually("all have arrived", func() bool { return len(rb.all()) == 500 })
	rb.mu.Lock()
	defer rb.mu.Unlock()
	if rb.overlap {
		s.Error("two messages were received at once")
	}
}

// A slow receiver delays neither the publisher nor the other nodes, and gets everything
// in the end. The backlog grows meanwhile.
func (s *suite) slowReceiver() {
	a, b := s.node(), s.node()
	slow := &recorder{entered: make(chan struct{}, 1), proceed: make(chan struct{})}
	release := sync.OnceFunc(func() { close(slow.proceed) })
	s.Cleanup(release)
	ra := new(recorder)
	s.join(a, ra, "a")
	s.join(b, slow, "b")
	payload := strings.Repeat("x", 64<<10)
	const n = 100 // more than a sixteenth of the queue
	for range n {
		s.publish(a, "all", payload)
	}
	<-slow.entered
	s.eventually("the publisher has received everything", func() bool { return len(ra.all()) == n })
	if got := len(slow.all()); got != 0 {
		s.Errorf("the slow receiver has received %d messages", got)
	}
	release()
	s.eventually("the slow receiver has received everything", func() bool { return len(slow.all()) == n })
	slow.mu.Lock()
	defer slow.mu.Unlock()
	if slices.Max(slow.backlogs) == redisbus.Low || slow.backlogs[n-1] != redisbus.Low {
		s.Errorf("backlogs %v", slow.backlogs)
	}
}

// A bus is degraded until it has subscribed.
func (s *suite) health() {
	a := s.node()
	if h := a.Health(); !h.Degraded || h.Connected || h.Reason == "" || h.Since.IsZero() {
		s.Errorf("a new bus has health %+v", h)
	}
	s.join(a, new(recorder), "a")
	if h := a.Health(); h.Degraded || h.Reason != "" || !h.Since.IsZero() {
		s.Errorf("then it has health %+v", h)
	}
}

// While Redis is away a bus says so, and drops messages at once; when it is back the bus
// has subscribed again, and has counted a gap.
func (s *suite) away() {
	a, b, _, rb := s.two()
	s.cluster.Away(true)
	began, published := a.Stats(), uint64(0)
	publish := func(o redisbus.Outcome) error {
		published++
		return a.Publish(s.Context(), redisbus.Message{Channel: "all", Payload: []byte("lost"), Outcome: o}, true)
	}
	s.eventually("messages are dropped at once", func() bool { return errors.Is(publish(nil), redisbus.ErrAway) })
	// What the bus has accepted before it noticed is counted later.
	s.eventually("all messages are counted", func() bool {
		got := a.Stats()
		return got.Published+got.Dropped == began.Published+began.Dropped+published
	})
	before := a.Stats()
	for range 10 {
		o := outcome(func(error) { s.Error("the outcome of a message that was refused") })
		if err := publish(o); !errors.Is(err, redisbus.ErrAway) || !errors.Is(err, redisbus.ErrUnavailable) {
			s.Errorf("Publish: %v", err)
		}
	}
	if got := a.Stats(); got.Dropped != before.Dropped+10 || got.Published != before.Published {
		s.Errorf("stats %+v, before %+v", got, before)
	}
	if err := a.Away(s.Context(), "all"); !errors.Is(err, redisbus.ErrAway) {
		s.Errorf("Away: %v", err)
	}
	s.eventually("both are degraded", func() bool {
		return a.Health().Degraded && !a.Health().Connected && b.Health().Degraded && !b.Health().Connected
	})
	if h := a.Health(); h.Reason == "" || h.Since.IsZero() {
		s.Errorf("health %+v", h)
	}
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	if err := b.Ready(ctx, s.target("all")); !errors.Is(err, redisbus.ErrUnavailable) {
		s.Errorf("Ready: %v", err)
	}
	if _, err := a.Subscribers(ctx, s.target("all")); !errors.Is(err, redisbus.ErrUnavailable) && !errors.Is(err, redisbus.ErrTimeout) {
		s.Errorf("Subscribers: %v", err)
	}
	b.Subscribe(rb, s.target("later"))

	s.cluster.Away(false)
	s.ready(b, s.target("all"), s.target("own:b"), s.target("later"))
	s.eventually("the bus publishes", func() bool { return a.Away(s.Context(), "all") == nil })
	s.eventually("messages arrive again", func() bool {
		a.Publish(s.Context(), redisbus.Message{Channel: "later", Payload: []byte("1")}, true)
		return rb.has("later 1")
	})
	for _, bus := range []redisbus.Bus{a, b} {
		s.eventually("the bus is connected", func() bool { return !bus.Health().Degraded || bus.Health().Connected })
		if got := bus.Stats().Gaps; got != 1 {
			s.Errorf("%d gaps were counted", got)
		}
	}
	if rb.has("all lost") {
		s.Error("a message that was refused has arrived")
	}
}

// Close sends what is queued. Afterwards nothing works and nobody is called.
func (s *suite) close() {
	a, b, ra, rb := s.two()
	resolved := make(chan error, 1)
	m := redisbus.Message{Channel: "all", Payload: []byte("last"), Outcome: outcome(func(err error) { resolved <- err })}
	if err := a.Publish(s.Context(), m, true); err != nil {
		s.Fatal(err)
	}
	if a.Context().Err() != nil {
		s.Error("the context has ended early")
	}
	if err := a.Close(); err != nil {
		s.Errorf("Close: %v", err)
	}
	<-resolved // whatever it is
	if a.Context().Err() == nil {
		s.Error("the context has not ended")
	}
	s.eventually("the last message has arrived", func() bool { return rb.has("all last") })
	before := len(ra.all())
	s.publish(b, "all", "later")
	s.eventually("the other node goes on", func() bool { return rb.has("all later") })
	if got := len(ra.all()); got != before {
		s.Errorf("the closed bus received %d messages", got-before)
	}
	if err := a.Publish(s.Context(), redisbus.Message{Channel: "all"}, true); !errors.Is(err, redisbus.ErrClosed) {
		s.Errorf("Publish: %v", err)
	}
	if err := a.Away(s.Context(), "all"); !errors.Is(err, redisbus.ErrClosed) {
		s.Errorf("Away: %v", err)
	}
	if err := a.Close(); err != nil {
		s.Errorf("Close again: %v", err)
	}
}

// Everything may be called by many goroutines.
func (s *suite) concurrency() {
	a, b, _, rb := s.two()
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			t := s.target(fmt.Sprint("x", i))
			for j := range 50 {
				b.Subscribe(rb, t)
				a.Publish(s.Context(), redisbus.Message{Channel: t.Name, Payload: []byte("m")}, j%2 == 0)
				a.Publish(s.Context(), redisbus.Message{Channel: "all", Payload: fmt.Append(nil, i, " ", j)}, true)
				b.Unsubscribe(rb, t)
				a.Health()
				b.Stats()
			}
		})
	}
	running.Wait()
	s.eventually("all have arrived", func() bool {
		n := 0
		for _, m := range rb.all() {
			if strings.HasPrefix(m, "all ") {
				n++
			}
		}
		return n == 8*50
	})
}
