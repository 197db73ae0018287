package socketio

import (
	"github.com/puente-io/puente/server/socketio/msgpack"
	"github.com/puente-io/puente/server/socketio/packet"
)

// parser is how a client's packets are encoded, which its first message shows: Node's
// servers have one parser for all clients.
type parser struct {
	// msgpack: packets are MessagePack. Only the goroutine that reads from the session
	// changes it, and only before there is a socket; everyone who knows a socket may read
	// it.
	msgpack bool
	// parserKnown is for that goroutine alone.
	parserKnown bool
}

// chooseParser chooses the parser of a client whose first message this is.
func (c *client) chooseParser(first []byte, binary bool) {
	c.parserKnown = true
	if !binary || !msgpack.Packs(first) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.msgpack = true
		c.countMsgpack(1)
	}
}

// countMsgpack counts the client if it takes MessagePack. c.mu is held.
func (c *client) countMsgpack(n int64) {
	if c.msgpack {
		c.server.msgpackClients.Add(n)
	}
}

// unpack decodes and handles a message of a client that speaks MessagePack.
func (c *client) unpack(data []byte, binary bool) {
	if !binary {
		c.fail(packet.ErrUnexpected)
		return
	}
	opts := &c.server.opts
	d := msgpack.Decoder{
		MaxAttachments: opts.MaxAttachments, MaxAttachmentBytes: opts.MaxAttachmentBytes,
		MaxArguments: opts.MaxArguments, MaxDepth: opts.MaxDepth,
	}
	p, err := d.Decode(data)
	if err != nil {
		c.fail(err)
		return
	}
	c.received(p)
}
