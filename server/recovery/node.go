package recovery

import (
	"sync"
	"sync/atomic"
	"time"
)

// Options configures a [Node].
type Options struct {
	// Window is how long a session is kept after its connection was lost.
	Window time.Duration
	// Silence is how long a connection may be dead before that is noticed. Events are kept
	// for Window and Silence.
	Silence time.Duration
	// MaxBytes bounds the bytes of events and stored sessions of all logs. Above it the
	// oldest events are dropped. Sessions may have half of it, so that clients which come and
	// go do not push out the events of others; beyond that they are not stored.
	MaxBytes int64
}

// Node bounds the logs of one server. Its methods are safe for concurrent use.
type Node struct {
	window, keep time.Duration
	maxBytes     int64
	tick         time.Duration
	bytes        atomic.Int64
	away         atomic.Int64 // those of bytes that are of stored sessions
	now          atomic.Int64 // nanoseconds since 1970, one tick old at most: asking the clock for each event would cost too much

	mu   sync.Mutex // taken before the locks of the logs
	logs map[sweeper]struct{}

	stopOnce sync.Once
	stop     chan struct{}
	done     sync.WaitGroup
}

// sweeper is a Log of any kind.
type sweeper interface {
	expire(now time.Time)
	oldestEvent() int64
	dropEarly()
}

// NewNode returns a node without logs. It has a goroutine, which ends with Close.
func NewNode(o Options) *Node {
	tick := min(time.Second, max(o.Window/4, time.Millisecond))
	n := &Node{window: o.Window, keep: o.Window + o.Silence + tick, maxBytes: o.MaxBytes, tick: tick, logs: make(map[sweeper]struct{}), stop: make(chan struct{})}
	n.now.Store(time.Now().UnixNano())
	n.done.Go(n.run)
	return n
}

// Close stops the node's goroutine and waits for it. It may be called more than once.
func (n *Node) Close() {
	n.stopOnce.Do(func() { close(n.stop) })
	n.done.Wait()
}

// Bytes returns the bytes of all logs' events and stored sessions.
func (n *Node) Bytes() int64 { return n.bytes.Load() }

func (n *Node) run() {
	tick := time.NewTicker(n.tick)
	defer tick.Stop()
	for {
		select {
		case <-n.stop:
			return
		case now := <-tick.C:
			n.now.Store(now.UnixNano())
			for _, l := range n.list() {
				l.expire(now)
			}
		}
	}
}

func (n *Node) list() []sweeper {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]sweeper, 0, len(n.logs))
	for l := range n.logs {
		list = append(list, l)
	}
	return list
}

func (n *Node) add(l sweeper) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.logs[l] = struct{}{}
}

func (n *Node) remove(l sweeper) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.logs, l)
}

// full reports whether there are too many bytes.
func (n *Node) full() bool { return n.bytes.Load() > n.maxBytes }

// trim drops the oldest events of all logs while there are too many bytes.
func (n *Node) trim() {
	if !n.full() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.full() {
		var oldest sweeper
		var at int64
		for l := range n.logs {
			if t := l.oldestEvent(); t != 0 && (oldest == nil || t < at) {
				oldest, at = l, t
			}
		}
		if oldest == nil {
			return
		}
		oldest.dropEarly()
	}
}
