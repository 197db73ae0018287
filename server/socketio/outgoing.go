package socketio

import (
	"fmt"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/msgpack"
	"github.com/puente-io/puente/server/socketio/packet"
)

// outgoing is a packet for any number of clients. It is encoded once for all of those
// that have the same parser, when the first of them needs it. It is for one goroutine.
type outgoing struct {
	packet       packet.Packet
	uncompressed bool
	text         *engineio.Message // nil: not encoded yet
	msgpack      *engineio.Message // the same
	err          error             // the packet cannot be encoded as MessagePack
}

// message returns the packet as a client takes it, or nil if it cannot be encoded for it.
func (o *outgoing) message(c *client) *engineio.Message {
	if c.msgpack {
		return o.asMsgpack()
	}
	return o.asText()
}

func (o *outgoing) asText() *engineio.Message {
	if o.text == nil {
		o.text = textMessage(&o.packet, o.uncompressed)
	}
	return o.text
}

func (o *outgoing) asMsgpack() *engineio.Message {
	if o.msgpack == nil && o.err == nil {
		o.msgpack, o.err = msgpackMessage(&o.packet, o.uncompressed)
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
	var text, packed engineio.Forms
	ns.sockets.Each(sel, func(s *Socket) {
		if s.client.msgpack {
			packed |= s.client.session.Form()
		} else {
			text |= s.client.session.Form()
		}
	})
	if text != 0 {
		engine.Build(o.asText(), text)
	}
	if packed != 0 && o.asMsgpack() != nil {
		engine.Build(o.msgpack, packed)
	}
}

// message encodes a packet for this client alone. Errors wrap ErrEncode.
func (c *client) message(p *packet.Packet, uncompressed bool) (*engineio.Message, error) {
	if c.msgpack {
		return msgpackMessage(p, uncompressed)
	}
	return textMessage(p, uncompressed), nil
}

// textFrames encodes a packet as text, and its attachments.
func textFrames(p *packet.Packet) (text engineio.Frame, attachments []engineio.Frame) {
	text = engineio.FinishText(packet.AppendText(engineio.StartText(len(p.Data)+len(p.Namespace)+24), p))
	for _, a := range p.Attachments {
		attachments = append(attachments, engineio.BinaryFrame(a))
	}
	return text, attachments
}

func textMessage(p *packet.Packet, uncompressed bool) *engineio.Message {
	text, attachments := textFrames(p)
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
