package redispresence

import (
	"errors"
	"time"

	"github.com/puente-io/puente/server/presence"
)

// maxPeers bounds the other nodes of a cluster.
const maxPeers = 1024

var (
	errCrowded = errors.New("redispresence: message ignored: more nodes or devices than are held")
	errOrder   = errors.New("redispresence: message ignored: not what can follow")
)

// peers is what this node holds of the others. It belongs to one goroutine.
type peers struct {
	self       string
	view       *presence.View
	times      times
	maxEntries int

	nodes  map[string]*peer
	held   int       // entries of all peers, staged ones included
	heard  time.Time // this node by itself, last
	never  bool      // heard so far
	ticked time.Time
	began  time.Time
	since  time.Time            // this node hears itself on its present subscription; zero: not yet
	behind time.Time            // since when something that the others have published may be missing; zero: nothing is
	silent map[string]time.Time // nodes that were dropped because they were silent

	// What a call leaves behind for the caller to pass on.
	asks  []string
	want  []string // nodes that want this one's state
	hello bool     // a node wants to know who is there
}

// peer is another node.
type peer struct {
	name   string
	part   *presence.Part
	heard  time.Time
	seq    uint64 // what the part is true of, if synced
	synced bool
	proven bool // synced by something that came on the present subscription

	askAt time.Time     // when to ask for the state (again)
	delay time.Duration // until asking once more
	held  int

	staged    map[string]*presence.Entry // chunks of a state that has begun
	stagedSeq uint64
	chunks    uint64
	entries   int // staged
}

func newPeers(self string, view *presence.View, t times, maxEntries int, now time.Time) *peers {
	return &peers{
		self: self, view: view, times: t, maxEntries: maxEntries,
		nodes: make(map[string]*peer), silent: make(map[string]time.Time), heard: now, never: true, ticked: now, began: now, behind: now,
	}
}

// take applies a message. Its error says why it was ignored.
func (ps *peers) take(m message, now time.Time) error {
	if m.from == ps.self {
		if m.kind == beat {
			ps.hear(now)
		}
		return nil
	}
	p := ps.nodes[m.from]
	if p == nil {
		if m.kind == bye {
			return nil
		}
		if len(ps.nodes) >= maxPeers {
			return errCrowded
		}
		p = &peer{name: m.from, part: ps.view.Part(m.from), delay: ps.times.ask}
		ps.nodes[m.from] = p
		if _, back := ps.silent[m.from]; back {
			delete(ps.silent, m.from)
			p.part.SetAnnouncer(ps.speaks(m.from, nil))
		}
		// What has done nothing, or only what comes now, needs no asking.
		p.synced = m.kind == beat && m.seq == 0 || m.kind == delta && m.seq == uint64(len(m.ops))
		if !p.synced {
			ps.fallBehind(now)
		}
	}
	p.heard = now
	switch m.kind {
	case beat:
		ps.hello = ps.hello || m.index == 1
		if !p.synced || p.seq < m.seq {
			ps.miss(p, now)
		} else {
			p.proven = true
		}
		return nil
	case delta:
		return ps.delta(p, m, now)
	case state:
		return ps.state(p, m, now)
	case want:
		ps.want = append(ps.want, m.from)
		return nil
	default:
		p.part.SetAnnouncer(ps.speaks(p.name, nil))
		ps.drop(p)
		return nil
	}
}

// hear notes that this node hears itself: Redis is there, both ways. Where it
// was not, nobody could be heard, and the others get their time anew.
func (ps *peers) hear(now time.Time) {
	if now.Sub(ps.heard) > ps.times.deaf {
		for _, p := range ps.nodes {
			p.heard = now
		}
	}
	if ps.since.IsZero() || now.Sub(ps.heard) > ps.times.deaf {
		ps.since = now
	}
	ps.heard, ps.never = now, false
}

// subscribed notes that a subscription has begun: what was published before may
// have been missed.
func (ps *peers) subscribed(now time.Time) {
	ps.since, ps.behind = time.Time{}, now
	for _, p := range ps.nodes {
		p.proven = false
	}
}

// caughtUp reports whether nothing is missed of what the other nodes have
// published.
func (ps *peers) caughtUp(now time.Time) bool {
	if ps.behind.IsZero() {
		return true
	}
	if ps.since.IsZero() || now.Sub(ps.since) < ps.times.interval/4 { // for the others to say that they are there
		return false
	}
	for _, p := range ps.nodes {
		if !p.synced || !p.proven {
			return false
		}
	}
	ps.behind = time.Time{}
	return true
}

// waits reports whether this node's operations wait until it has caught up. They do
// not for long: a node of which more is missing than is held never does.
func (ps *peers) waits(now time.Time) bool {
	return !ps.caughtUp(now) && now.Sub(ps.behind) < ps.times.place
}

// fallBehind notes that something is missing.
func (ps *peers) fallBehind(now time.Time) {
	if ps.behind.IsZero() {
		ps.behind = now
	}
}

// hears reports whether this node has heard itself lately.
func (ps *peers) hears(now time.Time) bool {
	return !ps.never && now.Sub(ps.heard) <= ps.times.deaf
}

// miss notes that the part does not follow its node, and asks for the state; as
// seldom as it is in vain.
func (ps *peers) miss(p *peer, now time.Time) {
	p.synced = false
	ps.fallBehind(now)
	ps.unstage(p)
	if now.Before(p.askAt) {
		return
	}
	ps.asks = append(ps.asks, p.name)
	p.askAt = now.Add(p.delay)
	p.delay = min(2*p.delay, ps.times.lastAsk)
}

func (ps *peers) delta(p *peer, m message, now time.Time) error {
	if p.synced && m.seq <= p.seq {
		return nil
	}
	if !p.synced || p.seq != m.seq-uint64(len(m.ops)) {
		ps.miss(p, now)
		return nil
	}
	if ps.held+len(m.ops) > ps.maxEntries {
		ps.miss(p, now)
		return errCrowded
	}
	for _, o := range m.ops {
		apply(p.part, o)
	}
	p.seq, p.proven = m.seq, true
	ps.count(p)
	return nil
}

// apply does one operation.
func apply(part *presence.Part, o op) {
	switch o.code {
	case connect:
		part.Connect(o.device, o.id)
	case join, joinFirst:
		part.Join(o.device, o.id)
	case leave, leaveLast:
		part.Leave(o.device, o.id)
	case disconnect:
		part.Disconnect(o.device)
	}
}

// state takes a chunk of a node's state, and with the last one the state.
func (ps *peers) state(p *peer, m message, now time.Time) error {
	if p.synced && m.seq <= p.seq {
		return nil // others have asked for it
	}
	if m.index == 0 {
		ps.unstage(p)
		p.staged, p.stagedSeq = make(map[string]*presence.Entry), m.seq
	}
	if p.staged == nil || m.index != p.chunks || m.seq != p.stagedSeq {
		ps.miss(p, now)
		return nil
	}
	if ps.held+len(m.ops) > ps.maxEntries {
		ps.miss(p, now)
		return errCrowded
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
			ps.miss(p, now)
			return errOrder
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
	p.seq, p.synced, p.proven = m.seq, true, true
	p.askAt, p.delay = time.Time{}, ps.times.ask
	ps.count(p)
	return nil
}

func (ps *peers) unstage(p *peer) {
	ps.held -= p.entries
	p.staged, p.chunks, p.entries = nil, 0, 0
}

func (ps *peers) count(p *peer) {
	size := p.part.Size()
	ps.held += size - p.held
	p.held = size
}

func (ps *peers) drop(p *peer) {
	ps.unstage(p)
	ps.held -= p.held
	delete(ps.nodes, p.name)
	p.part.Drop()
}

// speaks reports whether this node, and no other, answers for a node that cannot
// do so itself: the first by name of those that are there.
func (ps *peers) speaks(name string, gone map[string]bool) bool {
	for other := range ps.nodes {
		if other < ps.self && other != name && !gone[other] {
			return false
		}
	}
	return true
}

// complete reports whether the node knows what the others know, or has waited
// long enough.
func (ps *peers) complete(now time.Time) bool {
	if now.Sub(ps.began) > 2*ps.times.interval {
		return true
	}
	return ps.hears(now) && ps.caughtUp(now)
}

// tick does what time brings: it drops nodes that are silent, and asks again. It
// is to be called once in an interval.
func (ps *peers) tick(now time.Time) {
	late := now.Sub(ps.ticked) > ps.times.deaf
	ps.ticked = now
	if late { // it was this process that slept: what the others said is not read yet
		ps.heard = now
		for _, p := range ps.nodes {
			p.heard = now
		}
	}
	away := now.Sub(ps.heard)
	if away > ps.times.away { // what is published reaches nobody else either
		for _, p := range ps.nodes {
			ps.drop(p)
		}
		return
	}
	silent := make(map[string]bool)
	for _, p := range ps.nodes {
		switch {
		case away <= ps.times.deaf && now.Sub(p.heard) > ps.times.dead:
			silent[p.name] = true
		case !p.synced:
			ps.miss(p, now)
		}
	}
	for name := range silent {
		p := ps.nodes[name]
		p.part.SetAnnouncer(ps.speaks(name, silent))
		ps.drop(p)
		if len(ps.silent) < maxPeers {
			ps.silent[name] = now
		}
	}
	for name, since := range ps.silent {
		if now.Sub(since) > ps.times.remember {
			delete(ps.silent, name)
		}
	}
}
