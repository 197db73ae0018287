package socketio

import (
	"context"
	"errors"
	"sync"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// maxPosts bounds the queue of posts of a namespace.
const maxPosts = 8192

// posts queues the events of Operator.Post for the cluster, in order. A
// goroutine sends them while there are any.
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

// Post is [Socket.Emit] that does not wait for a slow client.
func (s *Socket) Post(event string, args ...any) error {
	p, err := s.eventPacket(event, args)
	if err != nil {
		return err
	}
	_, err = s.queueEvent(p, false, false)
	return err
}

// Post is Reply that does not wait for a slow client.
func (e *Event) Post(args ...any) error {
	fs, err := e.replyFrames(args)
	if err != nil || fs == nil {
		return err
	}
	_, err = e.socket.queue(engineio.NewMessage(fs[0], fs[1:]...))
	return err
}

// Post is Emit that does not wait. When it returns, the event is queued to the
// selected sockets of this server; the cluster gets it soon, in the order of
// the calls. Events that the cluster does not take are lost and counted by the
// adapter. Errors: ErrReserved, those that wrap ErrEncode, ErrAttachments or
// ErrArguments, and ErrUnavailable if too many events wait for the cluster.
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
			if errors.Is(err, ErrPanic) { // the adapter counts the others
				ns.server.Report("", err)
			}
		}
	}
}
