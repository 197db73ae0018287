package socketio

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// maxPosts bounds what waits for the cluster, of one namespace.
const maxPosts = 8192

// posts is what Post has left for the cluster, in order. A goroutine sends it as
// long as there is something.
type posts struct {
	mu    sync.Mutex
	queue []post
	busy  bool
}

type post struct {
	packet *packet.Packet
	sel    adapter.Selection
	flags  adapter.Flags
}

// Post is [Socket.Emit] for those who must not wait for the client.
func (s *Socket) Post(event string, args ...any) error {
	fs, err := s.eventFrames(event, args)
	if err != nil {
		return err
	}
	return s.enqueue(fs)
}

// Post is Reply for those who must not wait for the client.
func (e *Event) Post(args ...any) error {
	fs, err := e.replyFrames(args)
	if err != nil || fs == nil {
		return err
	}
	return e.socket.enqueue(fs)
}

// enqueue is send without waiting.
func (s *Socket) enqueue(fs []engineio.Frame) (err error) {
	s.client.server.engine.Batch(func(b *engineio.Batch) { err = b.Add(s.client.session, fs...) })
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return nil
}

// Post is Emit for those who must not wait. When it returns, the event is queued
// to the selected sockets of this server; the cluster gets it in the order of the
// calls, soon. What the cluster does not take is lost, and the adapter counts it.
// Errors: ErrReserved, those that wrap ErrEncode, and ErrUnavailable if too much
// waits for the cluster.
func (o Operator) Post(event string, args ...any) error {
	p, err := o.packet(event, args)
	if err != nil {
		return err
	}
	if !o.flags.Foreign {
		o.ns.enqueue(p, o.sel, o.flags, nil)
	}
	if o.local {
		return nil
	}
	q := &o.ns.posts
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) >= maxPosts {
		return ErrUnavailable
	}
	q.queue = append(q.queue, post{p, o.sel, o.flags})
	if !q.busy {
		q.busy = true
		o.ns.server.spawn(o.ns.sendPosts)
	}
	return nil
}

func (ns *Namespace) sendPosts() {
	q := &ns.posts
	for {
		q.mu.Lock()
		queue := q.queue
		q.queue = nil
		q.busy = len(queue) > 0
		q.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, p := range queue {
			err := Guard(func() error { return ns.adapter.Broadcast(context.Background(), p.packet, p.sel, p.flags) })
			if errors.Is(err, ErrPanic) { // the others the adapter has counted
				ns.server.Report("", err)
			}
		}
	}
}
