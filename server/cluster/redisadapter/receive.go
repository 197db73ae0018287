package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// maxAckTimeout bounds how long another node may make this one wait for its clients'
// acknowledgements.
const maxAckTimeout = 10 * time.Minute

var (
	errForeign = errors.New("redisadapter: not addressed to this node")
	errTooLong = errors.New("redisadapter: message too long")
)

// hasteOf says how long deliveries wait, by the backlog of messages after them.
var hasteOf = [...]adapter.Haste{redisbus.Low: adapter.Patient, redisbus.High: adapter.Hurried, redisbus.Full: adapter.Pressed}

// Active implements [redisbus.Receiver].
func (n *node) Active() bool { return n.ctx.Err() == nil }

// Receive implements [redisbus.Receiver]. It handles the message on the goroutine of the
// bus, so that the messages of a node are handled in order. It may wait for slow members.
func (n *node) Receive(channel, payload string, b redisbus.Backlog) {
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
	// The bus has made the string for this message, and decoding does not change it.
	bytes := unsafe.Slice(unsafe.StringData(payload), len(payload))
	m, err := n.proto.decode(channel, bytes, n.use)
	switch {
	case err == errForeign:
	case err != nil:
		n.cluster.malformed(channel, err)
	default:
		m.flags.Haste = hasteOf[b]
		n.handle(m)
	}
}

// interested reports whether the selection may have a socket of this node.
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

// legacy runs a request. If the other node names one socket and wants a receipt, the
// node that has the socket sends it.
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

// answerLater answers on a new goroutine, since describing many sockets takes long; if
// several are running already, on this one.
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

// respond sends an answer to the requesting node. It does not wait: a node must continue
// to receive while Redis is slow.
func (n *node) respond(to, m *message) {
	m.uid, m.requestID = n.uid, to.requestID
	out, err := n.proto.encode(m, to.uid)
	if err != nil {
		n.cluster.unencodable(fmt.Errorf("redisadapter: answer: %w", err))
		return
	}
	n.cluster.bus.Publish(n.ctx, out, false)
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
