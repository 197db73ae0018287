package deflate

import (
	"runtime"
	"sync"
)

// pool has at most one value for each processor that Go uses, made when it is needed. A
// sync.Pool would make one for every goroutine that publishes at the same moment.
type pool[T any] struct {
	create func() T
	places chan struct{} // has a token for each value that is in use

	mu   sync.Mutex
	free []T
}

func newPool[T any](create func() T) *pool[T] {
	return &pool[T]{create: create, places: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// get returns a value, and waits for one while all are in use.
func (p *pool[T]) get() T {
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

// put returns a value to the pool.
func (p *pool[T]) put(v T) {
	p.mu.Lock()
	p.free = append(p.free, v)
	p.mu.Unlock()
	<-p.places
}
