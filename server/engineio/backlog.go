package engineio

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Why a session was closed with ReasonSlowConsumer.
var (
	errTookNothing = errors.New("engineio: client took nothing for SlowTimeout")
	errBacklog     = errors.New("engineio: more than MaxBacklogBytes queued")
	errTotal       = errors.New("engineio: most of MaxTotalQueueBytes queued to clients that are behind")
	errControl     = errors.New("engineio: client reads no pong")
)

const (
	// shortestWait is the least time for which a publisher waits: what it may send
	// after it is worth a timer.
	shortestWait = time.Millisecond
	// longestWait is how long a publisher waits before it looks again.
	longestWait = 20 * time.Millisecond
)

// backlog counts what clients have not taken yet: which sessions are behind, and how many
// bytes all queues hold. Section "Clients that are behind" of the package documentation
// describes the consequences.
type backlog struct {
	mark  int // bytes queued to one session from which on publishers wait
	pace  int // as many as they may let it grow to within patience, even if the client reads
	most  int // and as many as it may have
	total int64
	// patience is how long a client may take nothing.
	patience time.Duration
	started  time.Time

	held atomic.Int64 // bytes that queues hold; what several hold counts once

	mu      sync.Mutex
	behind  map[*Session]struct{}
	timer   *time.Timer
	armed   bool          // the timer runs, as it does while a session is behind
	full    time.Duration // since when the queues have held too much, 0 if they do not
	stopped bool
	busy    sync.WaitGroup // a run of the timer that is under way
}

func newBacklog(opts *Options) *backlog {
	b := &backlog{
		mark: min(opts.MaxQueueBytes, opts.MaxBacklogBytes), most: opts.MaxBacklogBytes, total: int64(opts.MaxTotalQueueBytes),
		patience: opts.SlowTimeout, started: time.Now(), behind: make(map[*Session]struct{}),
	}
	b.pace = b.mark + (b.most-b.mark)/2
	return b
}

// now returns the time on the backlog's clock, which starts with the server.
func (b *backlog) now() time.Duration { return time.Since(b.started) }

// window returns the time within which a client must take half of the mark for
// publishers to wait for it: the longest silence that one client can impose on them.
func (b *backlog) window() time.Duration { return b.patience / 10 }

// isFull reports whether the queues hold more than they may.
func (b *backlog) isFull() bool { return b.held.Load() > b.total }

func (b *backlog) add(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.behind[s] = struct{}{}
	if !b.armed {
		b.arm(b.patience)
	}
}

func (b *backlog) remove(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.behind, s)
}

// arm sets the timer, for a quarter of the patience at most: a client whose
// kernel takes bytes is noticed only when the timer fires. b.mu is held.
func (b *backlog) arm(d time.Duration) {
	if b.stopped {
		return
	}
	b.armed = true
	d = min(max(d, time.Millisecond), max(b.patience/4, time.Millisecond))
	if b.timer == nil {
		b.timer = time.AfterFunc(d, b.look)
		return
	}
	b.timer.Reset(d)
}

// sessions returns the sessions that are behind.
func (b *backlog) sessions() []*Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*Session, 0, len(b.behind))
	for s := range b.behind {
		list = append(list, s)
	}
	return list
}

// look closes the sessions whose clients have taken nothing for too long.
func (b *backlog) look() {
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return
	}
	b.armed = false
	b.busy.Add(1)
	defer b.busy.Done()
	b.mu.Unlock()
	next := b.patience
	for _, s := range b.sessions() {
		if left := s.patienceLeft(); left > 0 {
			next = min(next, left)
		} else {
			s.close(ReasonSlowConsumer, errTookNothing)
		}
	}
	if b.isFull() {
		b.shed()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.behind) > 0 && !b.armed {
		b.arm(next)
	}
}

// stop ends the timer. A run that is under way counts in b.busy.
func (b *backlog) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	if b.timer != nil {
		b.timer.Stop()
	}
}

// shed closes sessions until the queues hold no more than they may: the one with
// the most bytes first, of those whose clients have stopped taking any. If all
// take some it closes none, until publishers have waited for a tenth of the
// patience; then one.
func (b *backlog) shed() {
	stalled := b.window()
	now := b.now()
	b.mu.Lock()
	if b.full == 0 {
		b.full = now
	}
	overdue := now-b.full >= stalled
	b.mu.Unlock()
	for sessions := b.sessions(); b.isFull(); {
		var worst, worstStalled *Session
		most, mostStalled := countedFrom, countedFrom // closing a shorter queue frees nothing
		for _, s := range sessions {
			holds, idle := s.lagging(now)
			if holds > most {
				worst, most = s, holds
			}
			if holds > mostStalled && idle >= stalled {
				worstStalled, mostStalled = s, holds
			}
		}
		if worstStalled != nil {
			worstStalled.close(ReasonSlowConsumer, errTotal)
			continue
		}
		if worst != nil && overdue {
			worst.close(ReasonSlowConsumer, errTotal)
			break
		}
		return
	}
	b.mu.Lock()
	b.full = 0
	b.mu.Unlock()
}

// wait holds a publisher up until each of the sessions to which it has queued
// something may have more, and the queues together hold no more than they may.
// It ends with ctx, and with the patience at the latest. The caller holds no lock.
func (b *backlog) wait(ctx context.Context, h Haste, sessions []*Session) {
	end := b.now() + b.patience
	timer := time.NewTimer(0)
	defer timer.Stop()
	// pause reports false if the waiting is over.
	pause := func(d time.Duration, relief <-chan struct{}) bool {
		left := end - b.now()
		if left <= 0 {
			return false
		}
		timer.Reset(min(max(d, shortestWait), longestWait, left))
		select {
		case <-timer.C:
		case <-relief:
		case <-ctx.Done():
			return false
		}
		return true
	}
	for _, s := range sessions {
		for {
			d, relief := s.awaitRelief(h)
			if d == 0 {
				break
			}
			if !pause(d, relief) {
				return
			}
		}
	}
	for b.isFull() {
		b.shed()
		if b.isFull() && !pause(longestWait, nil) {
			return
		}
	}
}
