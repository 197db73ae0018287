package engineio

import (
	"sync"

	"github.com/puente-io/puente/server/engineio/internal/wsframe"
)

// recovered must be deferred. It ends the session after a panic of a method of its
// handler. It takes Session.mu.
func (s *Session) recovered() {
	v := recover()
	if v == nil {
		return
	}
	err := s.server.panicked(s, v)
	s.finish(ending{reason: ReasonInternalError, err: err, code: wsframe.CloseInternal})
}

// HandlerPanics returns how often a method of a [Handler], the accept function of [New],
// or a hook has panicked.
func (srv *Server) HandlerPanics() int64 { return srv.panics.Load() }

// deliver calls f, which calls HandleMessage, and then HandleReadEnd. No two run at a
// time. It reports false if one of them has panicked.
func (s *Session) deliver(f func()) (then Task, ok bool) {
	s.reading.Lock()
	defer s.reading.Unlock()
	defer s.recovered()
	f()
	return s.guard(s.handler.HandleReadEnd(s)), true
}

// guardedTask is a task of a session's handler.
type guardedTask struct {
	session *Session
	task    Task
}

var guardedTasks = sync.Pool{New: func() any { return new(guardedTask) }}

// guard returns a task that runs t and recovers its panic. It must be run once.
func (s *Session) guard(t Task) Task {
	if t == nil {
		return nil
	}
	g := guardedTasks.Get().(*guardedTask)
	g.session, g.task = s, t
	return g
}

// Run implements [Task].
func (g *guardedTask) Run() {
	s, t := g.session, g.task
	*g = guardedTask{}
	guardedTasks.Put(g)
	defer s.recovered()
	t.Run()
}
