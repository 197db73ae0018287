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

// No task waits for another's end, and all that were given are run.
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
			met.Wait() // for all others to have begun
		}))
	}
	all.Wait()
	w.close()
	ran := false
	w.do(taskFunc(func() { ran = true }))
	if !ran {
		t.Error("a task after the end is lost")
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

// A goroutine that exits while a new one is on its way does not take the wake of that
// one, or an idle goroutine would be counted that does not exist.
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
		<-ran // or a deadlock
		w.close()
	})
}

// A goroutine that is to exit does so even if a task comes in that moment: it does not
// take the task of a goroutine that was started for it.
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
			w.trimmer.Stop() // it is now
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
