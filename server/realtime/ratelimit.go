package realtime

import (
	"sync"
	"time"
)

// limiter allows limit events in a window of time that begins with the first of
// them. A token bucket would not keep the documented limit: it allows up to twice
// the number in a window. A user's window is kept until it has passed, so that a
// client cannot start a new one by reconnecting.
type limiter struct {
	limit int
	size  time.Duration

	mu    sync.Mutex
	users map[string]*window
	swept time.Time
}

// window is the count of one user or socket. Its zero value has expired.
type window struct {
	mu    sync.Mutex
	ends  time.Time
	count int

	refs int // sockets that count in it; guarded by limiter.mu
}

// newLimiter returns a limiter; a limit of 0 or less allows everything.
func newLimiter(limit int, size time.Duration) *limiter {
	return &limiter{limit: limit, size: size, users: make(map[string]*window), swept: time.Now()}
}

// allow counts an event and reports whether it is within the limit.
func (l *limiter) allow(w *window) bool {
	if l.limit <= 0 {
		return true
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !now.Before(w.ends) {
		w.ends, w.count = now.Add(l.size), 0
	}
	if w.count >= l.limit {
		return false
	}
	w.count++
	return true
}

// user returns the user's window and adds a socket to it; nil if the user already
// has most sockets (0: no limit). Each call that returns a window needs a release.
func (l *limiter) user(key string, most int) *window {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.users[key]
	if w == nil {
		w = new(window)
		l.users[key] = w
	}
	if most > 0 && w.refs >= most {
		return nil
	}
	w.refs++
	return w
}

// sockets returns how many sockets count in the user's window.
func (l *limiter) sockets(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.users[key]; w != nil {
		return w.refs
	}
	return 0
}

// release removes a socket from the window that user returned. Windows without
// sockets are dropped once they have passed.
func (l *limiter) release(w *window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.refs--
	now := time.Now()
	if now.Sub(l.swept) < l.size {
		return
	}
	l.swept = now
	for key, w := range l.users {
		w.mu.Lock()
		passed := !now.Before(w.ends)
		w.mu.Unlock()
		if passed && w.refs == 0 {
			delete(l.users, key)
		}
	}
}
