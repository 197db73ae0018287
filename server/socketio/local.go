package socketio

import (
	"context"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// local implements adapter.Local: a namespace as its adapter sees it.
type local struct{ *Namespace }

var _ adapter.Local = local{}

func (l local) HasRoom(room string) bool { return l.wanted([]string{room}) }

func (l local) EventsLost() {
	if l.log != nil {
		l.locked(l.log.Gap)
	}
}

func (l local) LocalRooms() []string { return l.sockets.Rooms() }

func (l local) DeliverBroadcast(p *packet.Packet, sel adapter.Selection, flags adapter.Flags) {
	if l.takes(p) {
		l.deliver(context.Background(), p, sel, flags, nil)
	}
}

func (l local) DeliverBroadcastWithAck(ctx context.Context, p *packet.Packet, sel adapter.Selection, flags adapter.Flags, ack func(adapter.Args)) int {
	if !l.takes(p) {
		return 0
	}
	return l.deliverWithAck(ctx, p, sel, flags, func(a adapter.Args, err error) {
		if err == nil {
			ack(a)
		}
	})
}

// takes reports whether another server's broadcast is within the limits of this
// server and of its clients.
func (l local) takes(p *packet.Packet) bool {
	err := l.server.checkDepth(p.Data, 1)
	if err == nil && len(p.Attachments) > 0 {
		err = l.server.checkAttachments(p.Data, p.Attachments)
	}
	if err == nil {
		return true
	}
	l.server.limits.refused(err)
	if f := l.server.opts.Hooks.BroadcastDropped; f != nil {
		l.server.observe(func() { f(l.Namespace, err) })
	}
	return false
}

func (l local) LocalSockets(sel adapter.Selection) []adapter.SocketInfo {
	var infos []adapter.SocketInfo
	for _, s := range l.selected(sel) {
		infos = append(infos, s.info())
	}
	return infos
}

func (l local) JoinLocal(sel adapter.Selection, rooms []string) {
	for _, s := range l.selected(sel) {
		s.join(rooms)
	}
}

func (l local) LeaveLocal(sel adapter.Selection, rooms []string) {
	l.leaveAway(sel, rooms)
	for _, s := range l.selected(sel) {
		s.Leave(rooms...)
	}
	l.leaveAway(sel, rooms) // again, as in DisconnectLocal
}

func (l local) DisconnectLocal(sel adapter.Selection, closeConn bool) {
	l.endAway(sel)
	for _, s := range l.selected(sel) {
		s.Disconnect(closeConn)
	}
	l.endAway(sel) // again, for those that lost their connection between these lines
}

func (l local) DeliverServerSide(event string, args adapter.Args, reply func(adapter.Args)) {
	f := l.set.Load().serverSide[event]
	if f == nil {
		return
	}
	if err := l.server.CheckArgument(args.List); err != nil {
		l.server.failed(nil, event, err)
		return
	}
	l.server.spawn(func() {
		ctx, cancel := l.server.bound(context.Background(), 0)
		defer cancel()
		var out any
		err := Guard(func() (err error) { out, err = f(ctx, argsOf(args)); return err })
		var a adapter.Args
		if err == nil && reply != nil {
			a, err = encodeArgs([]any{out})
		}
		if err != nil {
			l.server.failed(nil, event, err)
			return
		}
		if reply != nil {
			reply(a)
		}
	})
}

// info describes the socket for other servers.
func (s *Socket) info() adapter.SocketInfo {
	h := s.Handshake()
	if s.client.session.Protocol() == 3 && s.forgetsAuth() {
		hideQuery(&h)
	}
	handshake, err := h.MarshalJSON()
	if err != nil {
		handshake = []byte("{}")
	}
	s.mu.Lock()
	data := s.dataJSON
	s.mu.Unlock()
	if len(data) == 0 || string(data) == "null" {
		data = []byte("{}") // as on Node before data is set
	}
	return adapter.SocketInfo{ID: s.id, Rooms: s.Rooms(), Handshake: handshake, Data: data}
}
