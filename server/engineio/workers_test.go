package engineio

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
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

// Who is not needed for a while leaves; who is needed now and then stays.
func TestWorkersLeave(t *testing.T) {
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
			t.Errorf("%d wait, want 10", n)
		}
		for range 30 {
			time.Sleep(lookEvery / 10)
			w.do(taskFunc(func() {}))
		}
		if n := idle(); n != 1 {
			t.Errorf("%d wait where one is needed", n)
		}
		time.Sleep(3 * lookEvery)
		if n := idle(); n != 0 || w.looking != nil {
			t.Errorf("%d wait where none is needed", n)
		}
		w.do(taskFunc(func() {}))
		if n := idle(); n != 1 {
			t.Errorf("%d wait after the next task", n)
		}
		w.close()
	})
}

// Who is told to leave while a new goroutine is on its way does not take the call
// that was for that one, or there would seem to be somebody who waits.
func TestWorkersLeaveWhileAnotherComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers()
		w.do(taskFunc(func() {}))
		synctest.Wait()
		w.mu.Lock()
		w.called = true // as call does for a new goroutine
		w.spare = 1
		w.mu.Unlock()
		w.look()
		synctest.Wait()
		w.mu.Lock()
		if w.idle != 0 || w.leaving != 0 || !w.called {
			t.Errorf("%d wait, %d are leaving, called: %v", w.idle, w.leaving, w.called)
		}
		w.called = false
		w.mu.Unlock()
		ran := make(chan struct{})
		w.do(taskFunc(func() { close(ran) }))
		<-ran // or a deadlock
		w.close()
	})
}

// Who was told to leave does so, also where a task comes in that moment: he does
// not come to the line in place of a goroutine that was started for it.
func TestWorkersAreToldOnce(t *testing.T) {
	w := newWorkers()
	for range 2000 {
		done := make(chan struct{})
		task := taskFunc(func() { done <- struct{}{} })
		w.do(task)
		<-done
		w.mu.Lock()
		w.spare = w.idle
		if w.looking != nil {
			w.looking.Stop() // it is now
		}
		w.mu.Unlock()
		w.look()
		w.do(task)
		<-done
	}
	eventually(t, "all who were told have left", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.leaving == 0
	})
	w.close()
}

// A line that is never empty does not grow for ever, and keeps its order.
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
