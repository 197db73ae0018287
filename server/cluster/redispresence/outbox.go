package redispresence

import (
	"maps"
	"slices"
	"time"

	"github.com/puente-io/puente/server/presence"
)

// maxPending is the number of pending operations above which the state is sent
// instead, unless the state is larger.
const maxPending = 8192

// outbox holds what the node has to publish. Node.mu guards it together with the
// node's part of the view, so that what take returns is consistent.
type outbox struct {
	self     string
	channels channels

	seq          uint64 // the number of operations since the start
	pending      []op
	allNeedState bool            // pending operations were lost
	requesters   map[string]bool // nodes that have requested this node's state
	requests     map[string]bool // nodes whose state this node requests
	hello        bool            // the next beat asks all nodes for a beat
	beat         bool            // a beat is due

	pause     time.Duration // between two requested states
	lastState time.Time     // when the last requested state was taken
}

func newOutbox(self string, c channels, pause time.Duration) outbox {
	return outbox{self: self, channels: c, pause: pause, requesters: make(map[string]bool), requests: make(map[string]bool)}
}

// record numbers an operation and adds it to the pending ones.
func (b *outbox) record(o op, part *presence.Part) {
	b.seq++
	if b.allNeedState {
		return
	}
	if len(b.pending) >= maxPending && len(b.pending) > part.Size() {
		b.lose()
		return
	}
	b.pending = append(b.pending, o)
}

// lose discards the pending operations and makes the next take return the state for
// all nodes.
func (b *outbox) lose() {
	b.pending = nil
	b.allNeedState = true
}

// take empties the outbox and returns its contents as frames to publish in order.
// lossy reports whether they include operations or a state for all, so that lose must
// be called if they do not arrive. Requested states stay in the outbox if the last
// one was taken less than pause ago: requests come in bursts.
func (b *outbox) take(part *presence.Part, waiting *order) (frames []frame, lossy bool) {
	if b.allNeedState {
		frames = b.state(frames, part, waiting, b.channels.all)
		clear(b.requesters)
	} else {
		frames = b.deltas(frames)
	}
	lossy = len(frames) > 0
	b.pending, b.allNeedState = nil, false
	if now := time.Now(); len(b.requesters) > 0 && now.Sub(b.lastState) >= b.pause {
		channel := b.channels.all // one state for all requesters; other nodes skip it
		if len(b.requesters) == 1 {
			for node := range b.requesters {
				channel = b.channels.node(node)
			}
		}
		frames = b.state(frames, part, waiting, channel)
		b.lastState = now
		clear(b.requesters)
	}
	for _, node := range slices.Sorted(maps.Keys(b.requests)) {
		frames = append(frames, frame{b.channels.node(node), encode(request, b.self, b.seq, 0)})
	}
	clear(b.requests)
	if b.hello || b.beat {
		frames = append(frames, b.beatFrame())
	}
	b.hello, b.beat = false, false
	return frames, lossy
}

// beatFrame returns a heartbeat.
func (b *outbox) beatFrame() frame {
	hello := uint64(0)
	if b.hello {
		hello = 1
	}
	return frame{b.channels.all, encode(beat, b.self, b.seq, hello)}
}

// deltas appends the pending operations.
func (b *outbox) deltas(frames []frame) []frame {
	var p packer
	seq := b.seq - uint64(len(b.pending))
	flush := func() {
		seq += uint64(p.ops)
		frames = append(frames, frame{b.channels.all, p.message(delta, b.self, seq, 0, 0)})
	}
	for _, o := range b.pending {
		p.add(o)
		if p.full() {
			flush()
		}
	}
	if p.ops > 0 {
		flush()
	}
	return frames
}

// state appends the current state, in chunks. It includes the joins that wait to be
// ordered, since they are numbered already. The chunks must be published without
// other operations between them.
func (b *outbox) state(frames []frame, part *presence.Part, waiting *order, channel string) []frame {
	var p packer
	var full []packer
	flush := func() {
		full = append(full, p)
		p = packer{}
	}
	joins := waiting.joins()
	for _, e := range part.Entries() {
		p.add(op{connect, e.Device, e.User})
		for _, r := range append(e.Rooms, joins[e.Device]...) {
			if p.full() {
				flush()
			}
			p.add(op{join, e.Device, r})
		}
		if p.full() {
			flush()
		}
	}
	if p.ops > 0 || len(full) == 0 {
		flush()
	}
	for i := range full {
		frames = append(frames, frame{channel, full[i].message(state, b.self, b.seq, uint64(i), uint64(len(full)))})
	}
	return frames
}
