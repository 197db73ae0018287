package deflate

import (
	"runtime"
	"sync"
)

// Pool has at most one value for each processor that Go uses, made when it is needed. A
// sync.Pool would make one for every goroutine that publishes at the same moment. Its
// methods are safe for concurrent use.
type Pool[T any] struct {
	create func() T
	places chan struct{} // has a token for each value that is in use

	mu   sync.Mutex
	free []T
}

// NewPool returns a pool of values that create makes.
func NewPool[T any](create func() T) *Pool[T] {
	return &Pool[T]{create: create, places: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// Get returns a value, and waits for one while all are in use. Whoever has one must only
// compute, and must not get another.
func (p *Pool[T]) Get() T {
	p.places <- struct{}{}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free) - 1
	if n < 0 {
		return p.create()
	}
	v := p.free[n] // the one that was used last
	p.free = p.free[:n]
	return v
}

// Put returns a value to the pool.
func (p *Pool[T]) Put(v T) {
	p.mu.Lock()
	p.free = append(p.free, v)
	p.mu.Unlock()
	<-p.places
}
