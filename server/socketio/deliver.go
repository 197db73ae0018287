package socketio

import (
	"context"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/recovery"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// selected returns this server's selected sockets.
func (ns *Namespace) selected(sel adapter.Selection) []*Socket {
	var list []*Socket
	ns.sockets.Each(sel, func(s *Socket) { list = append(list, s) })
	return list
}

// deliver sends a packet to this server's selected sockets. The packet is
// encoded once for each parser; each recipient costs an entry in its queue. When it is queued
// to all, deliver waits for slow recipients, see [engineio.Queued.Wait], at most
// until ctx ends. before, if not nil, is called for each recipient before the packet
// is queued, under the room table's lock.
func (ns *Namespace) deliver(ctx context.Context, p *packet.Packet, sel adapter.Selection, flags adapter.Flags, before func(*Socket)) {
	ns.enqueue(p, sel, flags, before).Wait(ctx, engineio.Haste(flags.Haste))
}

// enqueue is deliver without waiting.
func (ns *Namespace) enqueue(p *packet.Packet, sel adapter.Selection, flags adapter.Flags, before func(*Socket)) engineio.Queued {
	if len(sel.Rooms) > 0 && !ns.wanted(sel.Rooms) {
		return engineio.Queued{} // no recipients, so do not encode
	}
	out := outgoing{packet: *p, uncompressed: flags.Uncompressed}
	out.packet.Namespace = ns.name
	logged := ns.log != nil && !p.HasID
	if !logged {
		out.build(ns, sel)
	}
	observed := ns.observe(&out.packet, sel)
	var late []*Socket // joined after observe
	queued := ns.server.engine.Batch(func(b *engineio.Batch) {
		if logged {
			ns.log.Lock()
			defer ns.log.Unlock()
			out.offset.set(ns.log, flags.Volatile)
			out.build(ns, sel)
			if !flags.Volatile {
				e := keptEvent(&out.packet, out.asText(), out.uncompressed)
				e.Selection = recovery.Selection(sel)
				ns.log.Append(e)
			}
		}
		ns.sockets.Each(sel, func(s *Socket) {
			if before != nil {
				before(s)
			}
			if observed != nil && !observed[s] {
				late = append(late, s)
			}
			m := out.message(s.client)
			switch {
			case m == nil: // out.err
			case flags.Volatile:
				b.AddVolatile(s.client.session, m)
			default:
				b.Add(s.client.session, m)
			}
		})
	})
	if out.err != nil {
		name, _, _ := packet.Name(out.packet.Data)
		ns.server.Report(name, out.err)
	}
	for _, s := range late {
		s.sending(&out.packet)
	}
	return queued
}

// observe calls the OutgoingFuncs of the selected sockets and returns these
// sockets, or nil if no socket of the namespace has such a function.
func (ns *Namespace) observe(p *packet.Packet, sel adapter.Selection) map[*Socket]bool {
	if !ns.observesOutgoing() {
		return nil
	}
	observed := make(map[*Socket]bool)
	for _, s := range ns.selected(sel) {
		observed[s] = true
		s.sending(p)
	}
	return observed
}

// deliverWithAck is deliver for an event that asks for acknowledgements. It
// calls ack for each until ctx ends and returns the number of recipients.
func (ns *Namespace) deliverWithAck(ctx context.Context, p *packet.Packet, sel adapter.Selection, flags adapter.Flags, ack ackFunc) (clients int) {
	own := *p
	own.ID, own.HasID = ns.ids.Add(1)-1, true
	var asked []*Socket
	ns.deliver(ctx, &own, sel, flags, func(s *Socket) {
		if s.awaitAck(own.ID, pendingAck{take: ack}, 0) {
			asked = append(asked, s)
		}
	})
	if len(asked) == 0 {
		return 0
	}
	context.AfterFunc(ctx, func() {
		for _, s := range asked {
			s.cancelAck(own.ID)
		}
	})
	return len(asked)
}
