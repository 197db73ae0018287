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

// How long a Sentinel is asked at most, how often, and until when its last answer
// counts.
const (
	sentinelTimeout = time.Second
	sentinelEvery   = time.Second
	sentinelStale   = 5 * time.Second
	maxSentinels    = 32
)

// ErrNoMaster: no Sentinel has named a master yet.
const ErrNoMaster = Problem("no Sentinel names a master")

// Sentinels know the master of a Redis that Sentinels watch. They ask all of them
// and listen to all of them: whoever has the newest configuration is right.
type Sentinels struct {
	opts  *redis.UniversalOptions
	moved func() // the master is another; called without locks

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	asked   map[string]bool   // addresses of Sentinels
	answers map[string]answer // by Sentinel
	master  string
	known   chan struct{} // closed when a master is known
	last    error
}

// answer is what a Sentinel has said.
type answer struct {
	master string
	epoch  int
	at     time.Time
}

// NewSentinels returns the Sentinels at opts.Addrs, which are asked for the master
// opts.MasterName after Start.
func NewSentinels(opts *redis.UniversalOptions) *Sentinels {
	s := &Sentinels{opts: opts, asked: make(map[string]bool), answers: make(map[string]answer), known: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Start begins to ask. moved is called, without locks, whenever the master has
// become another.
func (s *Sentinels) Start(moved func()) {
	s.moved = moved
	for _, addr := range s.opts.Addrs {
		s.ask(addr)
	}
}

// Close waits for all goroutines.
func (s *Sentinels) Close() {
	s.cancel()
	s.running.Wait()
}

// Master returns the address of the master. Until one is known it waits, until ctx
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

// ask starts to ask a Sentinel, unless it is being asked.
func (s *Sentinels) ask(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked[addr] || len(s.asked) >= maxSentinels || s.ctx.Err() != nil {
		return
	}
	s.asked[addr] = true
	s.running.Go(func() { s.watch(addr) })
}

// watch asks one Sentinel until the end.
func (s *Sentinels) watch(addr string) {
	client := redis.NewSentinelClient(&redis.Options{
		Addr: addr, Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, ContextTimeoutEnabled: true,
		Username: s.opts.SentinelUsername, Password: s.opts.SentinelPassword, TLSConfig: s.opts.TLSConfig,
		DialTimeout: sentinelTimeout, ReadTimeout: sentinelTimeout, WriteTimeout: sentinelTimeout,
	})
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

// listen asks the Sentinel whenever it says that a master has changed, and now and
// then.
func (s *Sentinels) listen(client *redis.SentinelClient, addr string) error {
	if err := s.question(client, addr); err != nil {
		return err
	}
	news := client.Subscribe(s.ctx, "+switch-master")
	defer news.Close()
	stop := context.AfterFunc(s.ctx, func() { news.Close() })
	defer stop()
	for {
		_, err := news.ReceiveTimeout(s.ctx, sentinelEvery)
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return err
		}
		if err := s.question(client, addr); err != nil {
			return err
		}
	}
}

func (s *Sentinels) question(client *redis.SentinelClient, addr string) error {
	ctx, cancel := context.WithTimeout(s.ctx, sentinelTimeout)
	defer cancel()
	m, err := client.Master(ctx, s.opts.MasterName).Result()
	if err != nil {
		return err
	}
	epoch, _ := strconv.Atoi(m["config-epoch"])
	s.heard(addr, answer{net.JoinHostPort(m["ip"], m["port"]), epoch, time.Now()})
	others, err := client.Sentinels(ctx, s.opts.MasterName).Result()
	if err != nil {
		return err
	}
	for _, o := range others {
		if o["ip"] != "" && o["port"] != "" {
			s.ask(net.JoinHostPort(o["ip"], o["port"]))
		}
	}
	return nil
}

// heard takes an answer. The newest configuration among those that are not stale
// names the master.
func (s *Sentinels) heard(from string, a answer) {
	s.mu.Lock()
	s.answers[from] = a
	maps.DeleteFunc(s.answers, func(_ string, old answer) bool { return a.at.Sub(old.at) > sentinelStale })
	newest := slices.MaxFunc(slices.Collect(maps.Values(s.answers)), func(a, b answer) int {
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
