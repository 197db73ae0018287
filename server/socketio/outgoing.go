package socketio

import (
	"fmt"
	"slices"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/recovery"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/msgpack"
	"github.com/puente-io/puente/server/socketio/packet"
)

// outgoing is a packet for any number of clients. It is encoded once for all of those
// that have the same parser, when the first of them needs it. It is for one goroutine.
type outgoing struct {
	packet       packet.Packet
	offset       offset
	uncompressed bool
	text         *engineio.Message // nil: not encoded yet
	msgpack      *engineio.Message // the same
	protocol3    *engineio.Message // the same, without the offset
	err          error             // the packet cannot be encoded as MessagePack
}

// message returns the packet as a client takes it, or nil if it cannot be encoded for it.
func (o *outgoing) message(c *client) *engineio.Message {
	switch {
	case c.msgpack:
		return o.asMsgpack()
	case o.offset.len > 0 && c.session.Protocol() == 3:
		return o.withoutOffset()
	}
	return o.asText()
}

// withoutOffset is for clients that do not know recovery, and that would pass the offset on
// to their handlers as one more argument.
func (o *outgoing) withoutOffset() *engineio.Message {
	if o.protocol3 == nil {
		o.protocol3 = textMessage(&o.packet, nil, o.uncompressed)
	}
	return o.protocol3
}

func (o *outgoing) asText() *engineio.Message {
	if o.text == nil {
		o.text = textMessage(&o.packet, &o.offset, o.uncompressed)
	}
	return o.text
}

func (o *outgoing) asMsgpack() *engineio.Message {
	if o.msgpack == nil && o.err == nil {
		p := o.packet
		if o.offset.len > 0 {
			p.Data = o.offset.append(slices.Clone(p.Data))
		}
		o.msgpack, o.err = msgpackMessage(&p, o.uncompressed)
	}
	return o.msgpack
}

// build encodes the packet as the selected sockets need it, and builds the forms of its
// messages: that takes too long for the room table's lock.
func (o *outgoing) build(ns *Namespace, sel adapter.Selection) {
	engine := ns.server.engine
	if ns.server.msgpackClients.Load() == 0 && !engine.Mixed() {
		o.asText()
		return
	}
	var text, packed, bare engineio.Forms
	ns.sockets.Each(sel, func(s *Socket) {
		switch {
		case s.client.msgpack:
			packed |= s.client.session.Form()
		case o.offset.len > 0 && s.client.session.Protocol() == 3:
			bare |= s.client.session.Form()
		default:
			text |= s.client.session.Form()
		}
	})
	if bare != 0 {
		engine.Build(o.withoutOffset(), bare)
	}
	if text != 0 {
		engine.Build(o.asText(), text)
	}
	if packed != 0 && o.asMsgpack() != nil {
		engine.Build(o.msgpack, packed)
	}
}

// offset is the position of an event as clients get it: the text that is appended to its
// arguments.
type offset struct {
	text [recovery.MaxOffset]byte
	len  uint8 // 0: none
}

// setOffset gives the event its position: that of the next event, or that of the last one if
// the event is volatile and so has none. The log's lock is held.
func (o *offset) set(log *eventLog, volatile bool) {
	p := log.Last()
	if !volatile {
		p++
	}
	o.len = uint8(len(log.AppendOffset(o.text[:0], p)))
}

// append appends the position to an event, of which dst ends with the closing bracket.
func (o *offset) append(dst []byte) []byte {
	if o.len == 0 {
		return dst
	}
	dst = append(dst[:len(dst)-1], `,"`...)
	return append(append(dst, o.text[:o.len]...), `"]`...)
}

// message encodes a packet for this client alone. Errors wrap ErrEncode.
func (c *client) message(p *packet.Packet, uncompressed bool) (*engineio.Message, error) {
	if c.msgpack {
		return msgpackMessage(p, uncompressed)
	}
	return textMessage(p, nil, uncompressed), nil
}

// textFrames encodes a packet as text, with an offset if that is not nil, and its
// attachments.
func textFrames(p *packet.Packet, at *offset) (text engineio.Frame, attachments []engineio.Frame) {
	size := len(p.Data) + len(p.Namespace) + 24
	if at != nil {
		size += int(at.len) + 3
	}
	b := packet.AppendText(engineio.StartText(size), p)
	if at != nil {
		b = at.append(b)
	}
	text = engineio.FinishText(b)
	for _, a := range p.Attachments {
		attachments = append(attachments, engineio.BinaryFrame(a))
	}
	return text, attachments
}

func textMessage(p *packet.Packet, at *offset, uncompressed bool) *engineio.Message {
	text, attachments := textFrames(p, at)
	return messageOf(text, attachments, uncompressed)
}

func messageOf(text engineio.Frame, attachments []engineio.Frame, uncompressed bool) *engineio.Message {
	if uncompressed {
		text = text.Uncompressed()
		for i := range attachments {
			attachments[i] = attachments[i].Uncompressed()
		}
	}
	return engineio.NewMessage(text, attachments...)
}

func msgpackFrame(p *packet.Packet) (engineio.Frame, error) {
	size := len(p.Data) + len(p.Namespace) + 40
	for _, a := range p.Attachments {
		size += len(a)
	}
	b, err := msgpack.Append(engineio.StartBinary(size), p)
	if err != nil {
		return engineio.Frame{}, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	return engineio.FinishBinary(b), nil
}

func msgpackMessage(p *packet.Packet, uncompressed bool) (*engineio.Message, error) {
	f, err := msgpackFrame(p)
	if err != nil {
		return nil, err
	}
	if uncompressed {
		f = f.Uncompressed()
	}
	return engineio.NewMessage(f), nil
}
