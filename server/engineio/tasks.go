package engineio

// Task is work that a handler has.
type Task interface{ Run() }

// tasks runs what handlers have to do on goroutines that stay for the next: the
// stack that a handler needs has grown by then. A task never waits for another:
// where all goroutines are busy there is one more.
type tasks struct {
	spawn func(func()) bool // starts a goroutine that the server joins
	next  chan Task         // to who waits for one
	idle  chan struct{}     // has a token for each who does
	ended chan struct{}     // closed when nobody has to wait any longer
}

// maxIdleTasks is how many goroutines wait for the next task.
const maxIdleTasks = 32

func newTasks(spawn func(func()) bool) *tasks {
	return &tasks{spawn: spawn, next: make(chan Task), idle: make(chan struct{}, maxIdleTasks), ended: make(chan struct{})}
}

// do runs a task, if there is one: on another goroutine but on a closed server.
func (ts *tasks) do(t Task) {
	if t == nil {
		return
	}
	select {
	case ts.next <- t:
	default:
		if !ts.spawn(func() { ts.work(t) }) {
			t.Run()
		}
	}
}

func (ts *tasks) work(t Task) {
	for {
		t.Run()
		select {
		case ts.idle <- struct{}{}:
		default:
			return
		}
		select {
		case t = <-ts.next:
			<-ts.idle
		case <-ts.ended:
			return
		}
	}
}
