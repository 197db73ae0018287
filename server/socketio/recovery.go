package socketio

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/recovery"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// RecoveryOptions configures the recovery of connections, see the package documentation.
type RecoveryOptions struct {
	// Window is how long a client may be away. Default: 0, no recovery.
	Window time.Duration
	// MaxBytes bounds what all namespaces keep: events, which are kept for Window and the
	// time until a dead connection is noticed, and the sessions of clients that are away.
	// Above it the oldest events are dropped; the clients that would have got them are
	// not recovered. Sessions may have half of it, and a quarter while their clients are
	// anonymous; beyond that clients that lose their connection are not recovered. Default:
	// 64 MiB.
	MaxBytes int64
	// RunMiddleware runs the middleware of [Handlers.Use] for recovered sockets too.
	// Default: only in namespaces with [Namespace.CheckRecovered], as on Node.
	RunMiddleware bool
}

// RecoveryCounts says what has become of clients that asked for recovery.
type RecoveryCounts struct {
	// Recovered: as if the connection had not been lost.
	Recovered int64 `json:"recovered"`
	// Unknown: nothing is stored under the client's secret, or its time is over.
	Unknown int64 `json:"unknown"`
	// Busy: the client is connected, or has just recovered with the same secret.
	Busy int64 `json:"busy"`
	// Offset: what the client takes for its position is not one.
	Offset int64 `json:"offset"`
	// Incomplete: an event that the client has missed is not kept.
	Incomplete int64 `json:"incomplete"`
	// Refused: the program refused it, see [Handlers.OnRecovery].
	Refused int64 `json:"refused"`
	// Expired: the time of a client that was away is over. It may not have asked.
	Expired int64 `json:"expired"`
	// Bytes are those that events and sessions take now.
	Bytes int64 `json:"bytes"`
}

type recoveryCounters struct {
	recovered, unknown, busy, offset, incomplete, refused, expired atomic.Int64
}

// RecoveryCounts returns the current counts.
func (srv *Server) RecoveryCounts() RecoveryCounts {
	c := &srv.recoveries
	counts := RecoveryCounts{
		Recovered: c.recovered.Load(), Unknown: c.unknown.Load(), Busy: c.busy.Load(), Offset: c.offset.Load(),
		Incomplete: c.incomplete.Load(), Refused: c.refused.Load(), Expired: c.expired.Load(),
	}
	if srv.recovery != nil {
		counts.Bytes = srv.recovery.Bytes()
	}
	return counts
}

// failed counts a recovery that ended with an error of package recovery.
func (c *recoveryCounters) failed(err error) {
	switch {
	case errors.Is(err, recovery.ErrBusy), errors.Is(err, recovery.ErrConnected):
		c.busy.Add(1)
	case errors.Is(err, recovery.ErrOffset):
		c.offset.Add(1)
	case errors.Is(err, recovery.ErrIncomplete):
		c.incomplete.Add(1)
	default:
		c.unknown.Add(1)
	}
}

// eventLog keeps the events and sessions of a namespace.
type eventLog = recovery.Log[*away]

// storedSession is what a socket is recovered from.
type storedSession = recovery.Session[*away]

// away is what a socket gets back besides its rooms. The log's lock guards it.
type away struct {
	socket   *Socket // while it is connected
	data     any
	dataJSON []byte
	kept     *kept
	handled  chan struct{} // closed when the disconnect handlers of the last socket have returned
}

// newRecovery returns what bounds the logs of the namespaces, or nil without recovery.
func newRecovery(o RecoveryOptions, engine engineio.Options) *recovery.Node {
	if o.Window <= 0 {
		return nil
	}
	return recovery.NewNode(recovery.Options{Window: o.Window, Silence: engine.PingInterval + engine.PingTimeout, MaxBytes: o.MaxBytes})
}

// newLog sets the namespace's log, if the server has recovery.
func (ns *Namespace) newLog() {
	if ns.server.recovery == nil {
		return
	}
	ns.log = recovery.NewLog[*away](ns.server.recovery)
	ns.log.Expired = ns.expired
}

// CheckRecovered makes the middleware of the namespace run for recovered sockets too.
func (ns *Namespace) CheckRecovered() { ns.checkRecovered.Store(true) }

// expired is called for a session whose window has ended.
func (ns *Namespace) expired(s *storedSession) {
	ns.server.recoveries.expired.Add(1)
	rooms := s.Rooms()
	ns.let(s.ID, rooms)
	ns.gone(s, rooms, false)
}

// gone calls the ExpiredFuncs for a session that was stored and has ended.
func (ns *Namespace) gone(s *storedSession, rooms []string, early bool) {
	srv := ns.server
	list := ns.Handlers.set.Load().expired
	if len(list) == 0 {
		return
	}
	e := ExpiredSession{ID: s.ID, Rooms: rooms, Data: s.Value.data, Ended: early}
	srv.spawn(func() {
		for _, f := range list {
			if err := Guard(func() error { f(srv.base, e); return nil }); err != nil {
				srv.failed(nil, "", err)
			}
		}
	})
}

// recoverable reports whether a socket that disconnected for this reason may come back.
func recoverable(r Reason) bool {
	switch engineio.Reason(r) {
	case engineio.ReasonTransportError, engineio.ReasonTransportClose, engineio.ReasonForcedClose,
		engineio.ReasonPingTimeout, engineio.ReasonSlowConsumer, engineio.ReasonShutdown:
		return true
	}
	return r == ReasonTakenOver
}

// locked calls f with the log's lock held, or just calls it without recovery.
func (ns *Namespace) locked(f func()) {
	if ns.log != nil {
		ns.log.Lock()
		defer ns.log.Unlock()
	}
	f()
}

// wanted reports whether a client of this server, or one that is away, is in one of the
// rooms. A client that goes away or comes back meanwhile is seen as one of the two.
func (ns *Namespace) wanted(rooms []string) (wanted bool) {
	if slices.ContainsFunc(rooms, ns.sockets.Has) {
		return true
	}
	if ns.log != nil {
		ns.locked(func() { wanted = ns.log.Awaited(rooms) || slices.ContainsFunc(rooms, ns.sockets.Has) })
	}
	return wanted
}

// hold keeps the rooms of a session that is about to be stored, so that the cluster goes on
// to deliver to them, and the namespace; let ends that.
func (ns *Namespace) hold(id string, rooms []string) {
	ns.sockets.Hold(id)
	for _, room := range rooms {
		ns.sockets.Hold(room)
	}
	ns.server.mu.Lock()
	ns.refs++
	ns.server.mu.Unlock()
}

func (ns *Namespace) let(id string, rooms []string) {
	ns.sockets.Unhold(id)
	ns.unhold(rooms)
	ns.server.release(ns)
}

// unhold lets go of rooms that a stored session is not in any more.
func (ns *Namespace) unhold(rooms []string) {
	for _, room := range rooms {
		ns.sockets.Unhold(room)
	}
}

// end ends a session for good.
func (ns *Namespace) end(s *storedSession) {
	var rooms []string
	held := false
	ns.locked(func() {
		rooms, held = s.Rooms(), s.Waits()
		ns.log.End(s)
	})
	if held {
		ns.let(s.ID, rooms)
		ns.gone(s, rooms, true)
	}
}

// endAway ends the sessions of selected clients that are away.
func (ns *Namespace) endAway(sel adapter.Selection) {
	for _, s := range ns.awaySessions(sel) {
		ns.end(s)
	}
}

// leaveAway takes selected clients that are away out of rooms.
func (ns *Namespace) leaveAway(sel adapter.Selection, rooms []string) {
	for _, s := range ns.awaySessions(sel) {
		var left []string
		ns.locked(func() {
			for _, room := range s.Rooms() {
				if s.Waits() && slices.Contains(rooms, room) {
					ns.log.Leave(s, room)
					left = append(left, room)
				}
			}
		})
		ns.unhold(left)
	}
}

func (ns *Namespace) awaySessions(sel adapter.Selection) (list []*storedSession) {
	if ns.log == nil {
		return nil
	}
	ns.locked(func() { list = ns.log.Waiting(recovery.Selection(sel)) })
	return list
}
