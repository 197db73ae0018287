package redispresence

import (
	"errors"
	"time"

	"github.com/puente-io/puente/server/presence"
)

// maxPeers bounds the other nodes of a cluster.
const maxPeers = 1024

var (
	errTooMany  = errors.New("redispresence: message ignored: too many nodes or devices")
	errSequence = errors.New("redispresence: message ignored: out of sequence")
)

// peers tracks the other nodes. It must be used by one goroutine only.
type peers struct {
	self       string
	view       *presence.View
	times      times
	maxEntries int

	nodes     map[string]*peer
	held      int       // devices and memberships of all peers, staged ones included
	lastEcho  time.Time // start time if there was none
	noEcho    bool      // no echo has arrived yet
	ticked    time.Time
	began     time.Time
	firstEcho time.Time            // on the current subscription; zero: none yet
	behind    time.Time            // since when messages of peers may be missing; zero: none are
	silent    map[string]time.Time // nodes dropped for silence, by the time of the drop

	// Results of take and tick, which the caller must pass on and reset.
	requests   []string // nodes whose state must be requested
	requesters []string // nodes that have requested this node's state
	hello      bool     // a node has asked for a beat
}

// peer is another node.
type peer struct {
	name     string
	part     *presence.Part
	heard    time.Time // when its last message arrived
	seq      uint64    // the operation up to which part is complete, if synced
	synced   bool
	verified bool // shown to be synced by a message on the current subscription

	requestAt    time.Time     // when its state may be requested again
	requestDelay time.Duration // until the request after that
	held         int           // size of part as counted in peers.held

	staged    map[string]*presence.Entry // a state whose chunks are incomplete
	stagedSeq uint64
	chunks    uint64 // received so far
	entries   int    // staged devices and memberships
}

func newPeers(self string, view *presence.View, t times, maxEntries int, now time.Time) *peers {
	return &peers{
		self: self, view: view, times: t, maxEntries: maxEntries,
		nodes: make(map[string]*peer), silent: make(map[string]time.Time), lastEcho: now, noEcho: true, ticked: now, began: now, behind: now,
	}
}

// take applies a message. If it returns an error, the message was ignored.
func (ps *peers) take(m message, now time.Time) error {
	if m.from == ps.self {
		if m.kind == beat {
			ps.echo(now)
		}
		return nil
	}
	p := ps.nodes[m.from]
	if p == nil {
		if m.kind == bye || m.kind >= kinds {
			return nil
		}
		if len(ps.nodes) >= maxPeers {
			return errTooMany
		}
		p = &peer{name: m.from, part: ps.view.Part(m.from), requestDelay: ps.times.requestMin}
		ps.nodes[m.from] = p
		if _, back := ps.silent[m.from]; back {
			delete(ps.silent, m.from)
			p.part.SetAnnouncer(ps.isAnnouncer(m.from, nil))
		}
		// A node without operations, or with none before this message, is complete.
		none := (m.kind == beat || m.kind == request) && m.seq == 0
		p.synced = none || m.kind == delta && m.seq == uint64(len(m.ops))
		if !p.synced {
			ps.fallBehind(now)
		}
	}
	p.heard = now
	switch m.kind {
	case beat:
		ps.hello = ps.hello || m.index == 1
		if !p.synced || p.seq < m.seq {
			ps.markStale(p, now)
		} else {
			p.verified = true
		}
		return nil
	case delta:
		return ps.delta(p, m, now)
	case state:
		return ps.state(p, m, now)
	case request:
		ps.requesters = append(ps.requesters, m.from)
		return nil
	case bye:
		p.part.SetAnnouncer(ps.isAnnouncer(p.name, nil))
		ps.drop(p)
	}
	return nil // a kind of a later version is a sign of life
}

// echo records that an echo has arrived, so Redis works in both directions. After a
// time without echoes no peer could be heard, so their timeouts start again.
func (ps *peers) echo(now time.Time) {
	if now.Sub(ps.lastEcho) > ps.times.echoTimeout {
		for _, p := range ps.nodes {
			p.heard = now
		}
	}
	if ps.firstEcho.IsZero() || now.Sub(ps.lastEcho) > ps.times.echoTimeout {
		ps.firstEcho = now
	}
	ps.lastEcho, ps.noEcho = now, false
}

// subscribed records a new subscription. Messages published before may have been
// missed.
func (ps *peers) subscribed(now time.Time) {
	ps.firstEcho, ps.behind = time.Time{}, now
	for _, p := range ps.nodes {
		p.verified = false
	}
}

// caughtUp reports whether no message of the peers is missing.
func (ps *peers) caughtUp(now time.Time) bool {
	if ps.behind.IsZero() {
		return true
	}
	if ps.firstEcho.IsZero() || now.Sub(ps.firstEcho) < ps.times.interval/4 { // peers have this long to answer hello
		return false
	}
	for _, p := range ps.nodes {
		if !p.synced || !p.verified {
			return false
		}
	}
	ps.behind = time.Time{}
	return true
}

// fallBehind records that messages of a peer are missing.
func (ps *peers) fallBehind(now time.Time) {
	if ps.behind.IsZero() {
		ps.behind = now
	}
}

// echoing reports whether the last echo is recent enough.
func (ps *peers) echoing(now time.Time) bool {
	return !ps.noEcho && now.Sub(ps.lastEcho) <= ps.times.echoTimeout
}

// markStale records that operations of the peer are missing and requests its state,
// with exponential backoff.
func (ps *peers) markStale(p *peer, now time.Time) {
	p.synced = false
	ps.fallBehind(now)
	ps.unstage(p)
	if now.Before(p.requestAt) {
		return
	}
	ps.requests = append(ps.requests, p.name)
	p.requestAt = now.Add(p.requestDelay)
	p.requestDelay = min(2*p.requestDelay, ps.times.requestMax)
}

// delta applies operations.
func (ps *peers) delta(p *peer, m message, now time.Time) error {
	if p.synced && m.seq <= p.seq {
		return nil
	}
	if !p.synced || p.seq != m.seq-uint64(len(m.ops)) {
		ps.markStale(p, now)
		return nil
	}
	if ps.held+len(m.ops) > ps.maxEntries {
		ps.markStale(p, now)
		return errTooMany
	}
	for _, o := range m.ops {
		apply(p.part, o)
	}
	p.seq, p.verified = m.seq, true
	ps.count(p)
	return nil
}

// apply applies one operation to a part.
func apply(part *presence.Part, o op) {
	switch o.code {
	case connect:
		part.Connect(o.device, o.id)
	case join:
		part.Join(o.device, o.id)
	case leave:
		part.Leave(o.device, o.id)
	case disconnect:
		part.Disconnect(o.device)
	}
}

// state stages a chunk of the peer's state. The last chunk replaces the part.
func (ps *peers) state(p *peer, m message, now time.Time) error {
	if p.synced && m.seq <= p.seq {
		return nil // requested by others, or no newer than the part
	}
	if m.index == 0 {
		ps.unstage(p)
		p.staged, p.stagedSeq = make(map[string]*presence.Entry), m.seq
	}
	if p.staged == nil || m.index != p.chunks || m.seq != p.stagedSeq {
		ps.markStale(p, now)
		return nil
	}
	if ps.held+len(m.ops) > ps.maxEntries {
		ps.markStale(p, now)
		return errTooMany
	}
	p.chunks++
	p.entries += len(m.ops)
	ps.held += len(m.ops)
	for _, o := range m.ops {
		e := p.staged[o.device]
		switch {
		case o.code == connect && e == nil:
			p.staged[o.device] = &presence.Entry{Device: o.device, User: o.id}
		case o.code == join && e != nil:
			e.Rooms = append(e.Rooms, o.id)
		default:
			ps.markStale(p, now)
			return errSequence
		}
	}
	if p.chunks < m.count {
		return nil
	}
	entries := make([]presence.Entry, 0, len(p.staged))
	for _, e := range p.staged {
		entries = append(entries, *e)
	}
	ps.unstage(p)
	p.part.Replace(entries)
	p.part.SetAnnouncer(false)
	p.seq, p.synced, p.verified = m.seq, true, true
	p.requestAt, p.requestDelay = time.Time{}, ps.times.requestMin
	ps.count(p)
	return nil
}

// unstage discards an incomplete state.
func (ps *peers) unstage(p *peer) {
	ps.held -= p.entries
	p.staged, p.chunks, p.entries = nil, 0, 0
}

// count updates held after a change of the part.
func (ps *peers) count(p *peer) {
	size := p.part.Size()
	ps.held += size - p.held
	p.held = size
}

// drop removes the peer and its devices.
func (ps *peers) drop(p *peer) {
	ps.unstage(p)
	ps.held -= p.held
	delete(ps.nodes, p.name)
	p.part.Drop()
}

// isAnnouncer reports whether this node announces the changes of a node that cannot
// do so itself: the first node by name does, except name and those in dropped.
func (ps *peers) isAnnouncer(name string, dropped map[string]bool) bool {
	for other := range ps.nodes {
		if other < ps.self && other != name && !dropped[other] {
			return false
		}
	}
	return true
}

// complete reports whether the node has the states of its peers or has waited long
// enough.
func (ps *peers) complete(now time.Time) bool {
	if now.Sub(ps.began) > 2*ps.times.interval {
		return true
	}
	return ps.echoing(now) && ps.caughtUp(now)
}

// tick drops silent peers and repeats requests. It must be called once an interval.
func (ps *peers) tick(now time.Time) {
	late := now.Sub(ps.ticked) > ps.times.echoTimeout
	ps.ticked = now
	if late { // this process was suspended and has not read the messages of its peers yet
		ps.lastEcho = now
		for _, p := range ps.nodes {
			p.heard = now
		}
	}
	away := now.Sub(ps.lastEcho)
	if away > ps.times.isolatedTimeout { // this node's messages do not reach the peers either
		for _, p := range ps.nodes {
			ps.drop(p)
		}
		return
	}
	silent := make(map[string]bool)
	for _, p := range ps.nodes {
		switch {
		case away <= ps.times.echoTimeout && now.Sub(p.heard) > ps.times.peerTimeout:
			silent[p.name] = true
		case !p.synced:
			ps.markStale(p, now)
		}
	}
	for name := range silent {
		p := ps.nodes[name]
		p.part.SetAnnouncer(ps.isAnnouncer(name, silent))
		ps.drop(p)
		if len(ps.silent) < maxPeers {
			ps.silent[name] = now
		}
	}
	for name, since := range ps.silent {
		if now.Sub(since) > ps.times.rememberSilent {
			delete(ps.silent, name)
		}
	}
}
