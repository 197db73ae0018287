package redispresence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

var errDown = errors.New("the bus is down")

// memoryBus is a bus in memory that can fail and lose messages, for tests in fake time.
type memoryBus struct {
	mu    sync.Mutex
	down  bool
	block bool // publish blocks until its context is done
	subs  map[*memorySub]bool
	lose  func(to string, m message) bool // reports whether to lose m; to is the channel of the subscriber's node
	sent  []sent
}

type sent struct {
	channel string
	message
}

type memorySub struct {
	names []string
	queue []event
	more  chan struct{}
}

func newMemoryBus() *memoryBus { return &memoryBus{subs: make(map[*memorySub]bool)} }

func (b *memoryBus) publish(ctx context.Context, frames []frame) error {
	b.mu.Lock()
	block, down := b.block, b.down
	b.mu.Unlock()
	if block {
		<-ctx.Done()
		return ctx.Err()
	}
	if down || ctx.Err() != nil {
		return errDown
	}
	for _, f := range frames {
		b.inject(f.channel, string(f.payload))
	}
	return nil
}

// inject publishes a payload, which may be malformed.
func (b *memoryBus) inject(channel, payload string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := decode([]byte(payload))
	if err == nil {
		b.sent = append(b.sent, sent{channel, m})
	}
	for s := range b.subs {
		if !slices.Contains(s.names, channel) || b.lose != nil && err == nil && b.lose(s.names[1], m) {
			continue
		}
		s.queue = append(s.queue, event{channel: channel, payload: payload})
		s.signal()
	}
}

func (s *memorySub) signal() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (b *memoryBus) receive(ctx context.Context, names []string, idle time.Duration, up func(), take func(channel, payload string)) error {
	s := &memorySub{names: names, more: make(chan struct{}, 1)}
	b.mu.Lock()
	down := b.down
	if !down {
		b.subs[s] = true
	}
	b.mu.Unlock()
	if down {
		return errDown
	}
	defer func() { b.mu.Lock(); delete(b.subs, s); b.mu.Unlock() }()
	up()
	for {
		b.mu.Lock()
		queue := s.queue
		s.queue = nil
		up := b.subs[s]
		b.mu.Unlock()
		for _, e := range queue {
			take(e.channel, e.payload)
		}
		if !up {
			return errDown
		}
		select {
		case <-s.more:
		case <-time.After(idle):
			return errIdle
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *memoryBus) setDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
	if down {
		for s := range b.subs {
			delete(b.subs, s)
			s.signal()
		}
	}
}

func (b *memoryBus) setLose(lose func(to string, m message) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose = lose
}

func (b *memoryBus) count(k kind) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.sent {
		if m.kind == k {
			n++
		}
	}
	return n
}

// witness is a node that records its events.
type witness struct {
	*Node
	mu      sync.Mutex
	events  []string
	foreign int // events for foreign servers
}

func newWitness(b bus, opts Options) *witness {
	w := &witness{Node: start(opts, b)}
	w.Watch(presence.Watch{Limit: 1000, Shown: 1000, Event: func(e presence.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		verb := "left"
		if e.Joined {
			verb = "joined"
		}
		if e.Local {
			w.events = append(w.events, fmt.Sprint(e.User, " ", verb, " ", e.Room))
		}
		if e.Foreign {
			w.foreign++
		}
		slices.Sort(w.events)
	}})
	return w
}

// wants checks the events recorded since the last call.
func (w *witness) wants(t *testing.T, when string, events ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.events, events) {
		t.Errorf("%s: events %q, want %q", when, w.events, events)
	}
	w.events = nil
}

// has is wants without resetting the record.
func (w *witness) has(t *testing.T, events ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.events, events) {
		t.Errorf("events %q, want %q", w.events, events)
	}
}

func (w *witness) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events, w.foreign = nil, 0
}

// kill ends a node without bye, as kill -9 does.
func (w *witness) kill() {
	w.cancel()
	w.Close()
}

func id(s string) ident.ID { return ident.Of(s) }

// enter connects a device and joins it to rooms.
func enter(n presence.Presence, device, user string, rooms ...string) {
	n.Connect(device, id(user))
	for _, r := range rooms {
		n.Join(device, id(r), func(presence.Placement) {})
	}
}
