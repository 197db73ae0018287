package redispresence

import (
	"maps"
	"slices"
	"time"

	"github.com/puente-io/puente/server/presence"
)

// maxPending is after how many operations that wait for Redis the node's state
// is sent instead, unless it is longer.
const maxPending = 8192

// outbox is what the node has to tell. It is guarded by Node.mu, as is the
// node's part of the view: what is taken is true of one moment.
type outbox struct {
	self     string
	channels channels

	seq     uint64
	pending []op
	whole   bool            // what was pending is lost: all need the state
	wants   map[string]bool // nodes that want the state
	asks    map[string]bool // nodes whose state this one wants
	hello   bool            // the others are to tell that they are there
	beat    bool

	pause time.Duration // between two states that were asked for
	told  time.Time     // when the last was
}

func newOutbox(self string, c channels, pause time.Duration) outbox {
	return outbox{self: self, channels: c, pause: pause, wants: make(map[string]bool), asks: make(map[string]bool)}
}

// record notes an operation.
func (b *outbox) record(o op, part *presence.Part) {
	b.seq++
	if b.whole {
		return
	}
	if len(b.pending) >= maxPending && len(b.pending) > part.Size() {
		b.lose()
		return
	}
	b.pending = append(b.pending, o)
}

// lose makes all nodes get the state instead of what is, or was, pending.
func (b *outbox) lose() {
	b.pending = nil
	b.whole = true
}

// take returns all there is to tell, in order, as the frames to publish.
// lossy reports whether the others miss something if they do not arrive. States
// that are asked for wait where one has just been told: many ask together.
func (b *outbox) take(part *presence.Part, waiting *order) (frames []frame, lossy bool) {
	if b.whole {
		frames = b.state(frames, part, waiting, b.channels.all)
		clear(b.wants)
	} else {
		frames = b.deltas(frames)
	}
	lossy = len(frames) > 0
	b.pending, b.whole = nil, false
	if now := time.Now(); len(b.wants) > 0 && now.Sub(b.told) >= b.pause {
		channel := b.channels.all // one for all: those who have it do not decode it
		if len(b.wants) == 1 {
			for node := range b.wants {
				channel = b.channels.node(node)
			}
		}
		frames = b.state(frames, part, waiting, channel)
		b.told = now
		clear(b.wants)
	}
	for _, node := range slices.Sorted(maps.Keys(b.asks)) {
		frames = append(frames, frame{b.channels.node(node), encode(want, b.self, b.seq, 0)})
	}
	clear(b.asks)
	if b.hello || b.beat {
		frames = append(frames, b.alive())
	}
	b.hello, b.beat = false, false
	return frames, lossy
}

// alive is the message that the node is there.
func (b *outbox) alive() frame {
	hello := uint64(0)
	if b.hello {
		hello = 1
	}
	return frame{b.channels.all, encode(beat, b.self, b.seq, hello)}
}

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

// state appends the state of this moment, with what waits for its place: it has
// been numbered. Its chunks are numbered, of as many as
// there are; nothing of the node's comes between them.
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
