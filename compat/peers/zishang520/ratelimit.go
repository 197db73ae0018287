package main

import (
	"sync"
	"time"
)

// rateLimit is a fixed-window limit per key; 0 is no limit.
type rateLimit struct {
	limit  int
	window time.Duration

	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	count int
	ends  time.Time
}

func newRateLimit(limit int, length time.Duration) *rateLimit {
	return &rateLimit{limit: limit, window: length, windows: map[string]*window{}}
}

func (r *rateLimit) allow(key string) bool {
	if r.limit == 0 {
		return true
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.windows[key]
	if w == nil || !now.Before(w.ends) {
		w = &window{ends: now.Add(r.window)}
		r.windows[key] = w
	}
	w.count++
	return w.count <= r.limit
}
