package redislink

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Sentinel is queried every sentinelEvery, for at most sentinelTimeout. Its reply counts
// for sentinelStale.
const (
	sentinelTimeout  = time.Second
	sentinelEvery    = time.Second
	sentinelStale    = 5 * time.Second
	sentinelMaxReply = 1 << 20 // bytes
	maxSentinels     = 32
)

// ErrNoMaster: no Sentinel has named a master yet.
const ErrNoMaster = Problem("no Sentinel names a master")

// Sentinels finds the master of a Redis by querying, and subscribing to, every Sentinel
// process that watches it; the newest configuration wins.
type Sentinels struct {
	opts  *redis.UniversalOptions
	moved func() // called without locks when the master has changed

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	watched map[string]bool  // addresses of Sentinels
	replies map[string]reply // by Sentinel
	master  string
	known   chan struct{} // closed when a master is known
	last    error
}

// reply is a Sentinel's reply.
type reply struct {
	master string
	epoch  int
	at     time.Time
}

// NewSentinels returns Sentinels at opts.Addrs for the master opts.MasterName. Start must
// be called.
func NewSentinels(opts *redis.UniversalOptions) *Sentinels {
	s := &Sentinels{opts: opts, watched: make(map[string]bool), replies: make(map[string]reply), known: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Start starts to query the Sentinels. It calls moved, without locks, whenever the master
// changes.
func (s *Sentinels) Start(moved func()) {
	s.moved = moved
	for _, addr := range s.opts.Addrs {
		s.add(addr)
	}
}

// Close waits for all goroutines.
func (s *Sentinels) Close() {
	s.cancel()
	s.running.Wait()
}

// Master returns the address of the master. If none is known yet, it waits until ctx
// ends.
func (s *Sentinels) Master(ctx context.Context) (string, error) {
	select {
	case <-s.known:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.master, nil
	case <-s.ctx.Done():
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		return "", s.last
	}
	return "", ErrNoMaster
}

// add starts to watch a Sentinel, unless it is watched already.
func (s *Sentinels) add(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watched[addr] || len(s.watched) >= maxSentinels || s.ctx.Err() != nil {
		return
	}
	s.watched[addr] = true
	s.running.Go(func() { s.watch(addr) })
}

// watch queries one Sentinel until Close.
func (s *Sentinels) watch(addr string) {
	opts := redis.Options{
		Addr: addr, Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, ContextTimeoutEnabled: true,
		Username: s.opts.SentinelUsername, Password: s.opts.SentinelPassword, TLSConfig: s.opts.TLSConfig,
		DialTimeout: sentinelTimeout, ReadTimeout: sentinelTimeout, WriteTimeout: sentinelTimeout,
	}
	opts.Dialer = Checked(redis.NewDialer(&opts), sentinelMaxReply)
	client := redis.NewSentinelClient(&opts)
	defer client.Close()
	for s.ctx.Err() == nil {
		if err := s.listen(client, addr); err != nil && s.ctx.Err() == nil {
			s.mu.Lock()
			s.last = err
			s.mu.Unlock()
		}
		select {
		case <-time.After(sentinelEvery / 4):
		case <-s.ctx.Done():
		}
	}
}

// listen queries the Sentinel whenever it reports that a master has changed, and every
// sentinelEvery. It returns the first error.
func (s *Sentinels) listen(client *redis.SentinelClient, addr string) error {
	if err := s.query(client, addr); err != nil {
		return err
	}
	switches := client.Subscribe(s.ctx, "+switch-master")
	defer switches.Close()
	stop := context.AfterFunc(s.ctx, func() { switches.Close() })
	defer stop()
	for {
		_, err := Receive(s.ctx, switches, sentinelEvery)
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return err
		}
		if err := s.query(client, addr); err != nil {
			return err
		}
	}
}

// query asks a Sentinel for the master and for other Sentinels.
func (s *Sentinels) query(client *redis.SentinelClient, addr string) error {
	ctx, cancel := context.WithTimeout(s.ctx, sentinelTimeout)
	defer cancel()
	m, err := client.Master(ctx, s.opts.MasterName).Result()
	if err != nil {
		return err
	}
	epoch, _ := strconv.Atoi(m["config-epoch"])
	s.record(addr, reply{net.JoinHostPort(m["ip"], m["port"]), epoch, time.Now()})
	others, err := client.Sentinels(ctx, s.opts.MasterName).Result()
	if err != nil {
		return err
	}
	for _, o := range others {
		if o["ip"] != "" && o["port"] != "" {
			s.add(net.JoinHostPort(o["ip"], o["port"]))
		}
	}
	return nil
}

// record records a reply. The newest configuration of those that are not stale names the
// master.
func (s *Sentinels) record(from string, r reply) {
	s.mu.Lock()
	s.replies[from] = r
	maps.DeleteFunc(s.replies, func(_ string, old reply) bool { return r.at.Sub(old.at) > sentinelStale })
	newest := slices.MaxFunc(slices.Collect(maps.Values(s.replies)), func(a, b reply) int {
		if a.epoch != b.epoch {
			return a.epoch - b.epoch
		}
		return a.at.Compare(b.at)
	})
	moved := newest.master != s.master
	first := s.master == ""
	s.master = newest.master
	if first {
		close(s.known)
	}
	s.mu.Unlock()
	if moved && !first {
		s.moved()
	}
}
