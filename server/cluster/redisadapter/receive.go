package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// maxAckTimeout bounds how long a node that asks may have this one wait for its
// clients' acknowledgements.
const maxAckTimeout = 10 * time.Minute

var (
	errForeign = errors.New("redisadapter: message for others")
	errTooLong = errors.New("redisadapter: message too long")
)

func (n *node) active() bool { return n.ctx.Err() == nil }

// receive handles a message on the goroutine of the connection that delivers, so
// that what a node has sent happens in order. It may wait for slow members; the
// connection goes on reading meanwhile.
func (n *node) receive(channel, payload string, h adapter.Haste) {
	if n.ctx.Err() != nil {
		return
	}
	if room := n.proto.room(channel); room != "" && !n.local.HasRoom(room) {
		return
	}
	if len(payload) > n.cluster.opts.MaxMessage {
		n.cluster.malformed(channel, errTooLong)
		return
	}
	// The library has made the string for this message, and nobody writes to it.
	bytes := unsafe.Slice(unsafe.StringData(payload), len(payload))
	m, err := n.proto.decode(channel, bytes, n.uid, n.interested)
	switch {
	case err == errForeign:
	case err != nil:
		n.cluster.malformed(channel, err)
	default:
		m.flags.Haste = h
		n.handle(m)
	}
}

// interested reports whether a socket of this node may be selected.
func (n *node) interested(sel adapter.Selection) bool {
	if slices.Contains(sel.Except, foreignOnly) {
		return false
	}
	for _, room := range sel.Rooms {
		if n.local.HasRoom(room) {
			return true
		}
	}
	return len(sel.Rooms) == 0
}

func (n *node) handle(m *message) {
	if m.kind.isAnswer() {
		if n.requests.answer(m) {
			n.cluster.stats.received.Add(1)
		}
		return
	}
	n.cluster.stats.received.Add(1)
	switch m.kind {
	case broadcast:
		if m.requestID != "" {
			n.deliverWithAck(m)
		} else {
			n.local.DeliverBroadcast(m.packet, m.sel, m.flags)
		}
	case join:
		n.legacy(m, func() { n.local.JoinLocal(m.sel, m.rooms) })
	case leave:
		n.legacy(m, func() { n.local.LeaveLocal(m.sel, m.rooms) })
	case disconnect:
		n.legacy(m, func() { n.local.DisconnectLocal(m.sel, m.closeConn) })
	case serverSideEmit:
		n.serverSide(m)
	case fetch:
		n.answerLater(m, func() *message {
			return &message{kind: socketsAnswer, sockets: n.local.LocalSockets(m.sel)}
		})
	case fetchIDs:
		n.answerLater(m, func() *message {
			return &message{kind: idsAnswer, rooms: ids(n.local.LocalSockets(m.sel))}
		})
	case allRooms:
		n.answerLater(m, func() *message { // on Node, sockets' own rooms are among them
			own := ids(n.local.LocalSockets(adapter.Selection{}))
			return &message{kind: roomsAnswer, rooms: append(n.local.LocalRooms(), own...)}
		})
	}
}

func ids(sockets []adapter.SocketInfo) []string {
	list := make([]string, len(sockets))
	for i, s := range sockets {
		list[i] = s.ID
	}
	return list
}

// legacy does what a node asks for; where it asks by a socket's id and for a
// receipt, the node that has the socket gives it.
func (n *node) legacy(m *message, do func()) {
	if m.requestID == "" {
		do()
		return
	}
	if n.interested(m.sel) {
		do()
		n.respond(m, &message{kind: receipt})
	}
}

// answerLater answers on a goroutine of its own, since describing many sockets
// takes long; where several are under way already, on this one.
func (n *node) answerLater(m *message, answer func() *message) {
	select {
	case n.fetches <- struct{}{}:
	default:
		n.respond(m, answer())
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.running.Go(func() {
		defer func() { <-n.fetches }()
		n.respond(m, answer())
	})
}

// respond sends an answer to the node that asked. It does not wait: a node must
// go on receiving while Redis is slow.
func (n *node) respond(to, m *message) {
	m.uid, m.requestID = n.uid, to.requestID
	o, err := n.proto.encode(m, to.uid)
	if err != nil {
		n.cluster.dropped(1, fmt.Errorf("redisadapter: answer: %w", err))
		return
	}
	n.cluster.pub.publish(n.ctx, o, false)
}

func (n *node) deliverWithAck(m *message) {
	timeout := m.flags.Timeout
	if timeout <= 0 {
		timeout = n.cluster.opts.RequestTimeout
	}
	ctx, cancel := context.WithTimeout(n.ctx, min(timeout, maxAckTimeout))
	var (
		mu       sync.Mutex
		answered int
		clients  = -1 // not known yet
	)
	check := func(f func()) {
		mu.Lock()
		defer mu.Unlock()
		if f(); answered == clients {
			cancel()
		}
	}
	asked := n.local.DeliverBroadcastWithAck(ctx, m.packet, m.sel, m.flags, func(a adapter.Args) {
		n.respond(m, &message{kind: clientAck, args: a})
		check(func() { answered++ })
	})
	n.respond(m, &message{kind: clientCount, clients: asked})
	check(func() { clients = asked })
}

func (n *node) serverSide(m *message) {
	if m.requestID == "" {
		n.local.DeliverServerSide(m.event, m.args, nil)
		return
	}
	var once sync.Once
	n.local.DeliverServerSide(m.event, m.args, func(a adapter.Args) {
		once.Do(func() { n.respond(m, &message{kind: emitAnswer, args: a}) })
	})
}
