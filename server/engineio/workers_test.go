package engineio

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/server/waittest"
)

type taskFunc func()

func (f taskFunc) Run() { f() }

// No task waits for another one to end, and every task runs, even one that comes after
// close.
func TestWorkersDoNotWait(t *testing.T) {
	w := newWorkers()
	const n = 3 * maxIdleWorkers
	var all, met sync.WaitGroup
	met.Add(n)
	for range n {
		all.Add(1)
		w.do(taskFunc(func() {
			defer all.Done()
			met.Done()
			met.Wait() // until all tasks have begun
		}))
	}
	all.Wait()
	w.close()
	ran := false
	w.do(taskFunc(func() { ran = true }))
	if !ran {
		t.Error("a task after close did not run")
	}
}

// Goroutines that are not needed for a while exit; one that is needed now and then
// stays.
func TestWorkersTrim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers()
		idle := func() int {
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.idle
		}
		release := make(chan struct{})
		for range 10 {
			w.do(taskFunc(func() { <-release }))
		}
		synctest.Wait()
		close(release)
		if n := idle(); n != 10 {
			t.Errorf("%d are idle, want 10", n)
		}
		for range 30 {
			time.Sleep(idleTrim / 10)
			w.do(taskFunc(func() {}))
		}
		if n := idle(); n != 1 {
			t.Errorf("%d are idle, want 1", n)
		}
		time.Sleep(3 * idleTrim)
		if n := idle(); n != 0 || w.trimmer != nil {
			t.Errorf("%d are idle, want 0", n)
		}
		w.do(taskFunc(func() {}))
		if n := idle(); n != 1 {
			t.Errorf("%d are idle after the next task", n)
		}
		w.close()
	})
}

// A goroutine that exits while a new one is being started does not take the wake-up of the
// new one; otherwise a goroutine that does not exist would count as idle.
func TestWorkersTrimWhileAnotherComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers()
		w.do(taskFunc(func() {}))
		synctest.Wait()
		w.mu.Lock()
		w.wakePending = true // as wake does for a new goroutine
		w.minIdle = 1
		w.mu.Unlock()
		w.trim()
		synctest.Wait()
		w.mu.Lock()
		if w.idle != 0 || w.exiting != 0 || !w.wakePending {
			t.Errorf("%d are idle, %d are exiting, wake pending: %v", w.idle, w.exiting, w.wakePending)
		}
		w.wakePending = false
		w.mu.Unlock()
		ran := make(chan struct{})
		w.do(taskFunc(func() { close(ran) }))
		<-ran // a wrong count would be a deadlock here
		w.close()
	})
}

// A goroutine that has been chosen to exit does so even if a task comes at that moment: it
// does not take a task for which another goroutine was started.
func TestWorkersExitOnce(t *testing.T) {
	w := newWorkers()
	for range 2000 {
		done := make(chan struct{})
		task := taskFunc(func() { done <- struct{}{} })
		w.do(task)
		<-done
		w.mu.Lock()
		w.minIdle = w.idle
		if w.trimmer != nil {
			w.trimmer.Stop() // trim is called below instead
		}
		w.mu.Unlock()
		w.trim()
		w.do(task)
		<-done
	}
	waittest.Until(t, "all that were to exit have exited", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.exiting == 0
	})
	w.close()
}

// A line that is never empty does not grow without bound, and keeps its order.
func TestWorkersLineForgets(t *testing.T) {
	w := newWorkers()
	next, ran := 0, 0
	add := func() {
		n := next
		w.line = append(w.line, taskFunc(func() {
			if n != ran {
				t.Fatalf("task %d is run after %d others", n, ran)
			}
			ran++
		}))
		next++
	}
	add()
	for range 10_000 {
		add()
		w.take().Run()
	}
	if n := cap(w.line); n > 16 {
		t.Errorf("room for %d tasks, and one waits", n)
	}
}
