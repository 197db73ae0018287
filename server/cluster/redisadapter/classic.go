package redisadapter

import (
	"strconv"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/cluster/redisadapter/internal/notepack"
)

// classic is the protocol of createAdapter in @socket.io/redis-adapter 8.3.
//
//	KEY#NSP#, KEY#NSP#ROOM#       broadcasts: [uid, packet, {rooms, except, flags}] in MessagePack
//	KEY-request#NSP#              requests: JSON, or MessagePack where they have binary values
//	KEY-response#NSP#[UID#]       answers: as requests
//
// A broadcast to exactly one room goes to the channel of the room. Each node
// subscribes to the pattern KEY#NSP#*, and to the others by name.
type classic struct {
	nsp      string
	prefix   string // of broadcasts' channels, their main one
	requests string
	answers  string
	specific bool // answers go to the asking node's channel
}

// Types of requests and answers. Some answers have none and are told by their
// fields.
const (
	classicSockets = iota
	classicAllRooms
	classicJoin
	classicLeave
	classicDisconnect
	classicFetch
	classicServerSide
	classicBroadcast
	classicClientCount
	classicAck
)

func newClassic(o Options, nsp string) *classic {
	return &classic{
		nsp:      nsp,
		prefix:   o.Prefix + "#" + nsp + "#",
		requests: o.Prefix + "-request#" + nsp + "#",
		answers:  o.Prefix + "-response#" + nsp + "#",
		specific: o.SpecificResponses,
	}
}

func (c *classic) id() string { return randomID(6) }

func (c *classic) targets(uid string) []target {
	return []target{
		{patternTarget, globEscaper.Replace(c.prefix) + "*"},
		{channelTarget, c.requests},
		{channelTarget, c.answers},
		{channelTarget, c.answers + uid + "#"},
	}
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

func (c *classic) counted() (string, bool) { return c.requests, false }

// room is the channel without its prefix and last character, as on Node.
func (c *classic) room(channel string) string {
	if rest, ok := strings.CutPrefix(channel, c.prefix); ok && rest != "" {
		return rest[:len(rest)-1]
	}
	return ""
}

func (c *classic) encode(m *message, to string) (outgoing, error) {
	switch {
	case m.kind == broadcast && m.requestID == "":
		return c.encodeBroadcast(m)
	case m.kind.isAnswer():
		return c.encodeAnswer(m, to)
	}
	return c.encodeRequest(m)
}

func (c *classic) encodeBroadcast(m *message) (outgoing, error) {
	b := make([]byte, 0, 128+len(m.packet.Data))
	b = msgp.AppendString(append(b, 0x93), m.uid)
	b = msgp.AppendInt64(msgp.AppendString(append(b, 0x83), "type"), eventType)
	b, err := notepack.AppendJSON(msgp.AppendString(b, "data"), m.packet.Data, m.packet.Attachments)
	b = msgp.AppendString(msgp.AppendString(b, "nsp"), c.nsp)
	b = appendPackedOptions(b, m.sel, m.flags)
	channel := c.prefix
	if len(m.sel.Rooms) == 1 {
		channel += m.sel.Rooms[0] + "#"
	}
	return outgoing{channel: channel, payload: b}, err
}

func (c *classic) encodeRequest(m *message) (outgoing, error) {
	text := appendString([]byte(`{"uid":`), m.uid)
	if m.requestID != "" {
		text = appendString(append(text, `,"requestId":`...), m.requestID)
	}
	field := func(key string) { text = append(append(append(text, `,"`...), key...), `":`...) }
	typ := func(n int64) { field("type"); text = strconv.AppendInt(text, n, 10) }
	opts := func() { field("opts"); text = append(appendSelection(text, m.sel), '}') }
	attachments := m.args.Attachments
	switch m.kind {
	case broadcast:
		typ(classicBroadcast)
		field("packet")
		text = appendPacket(text, m.packet, c.nsp)
		field("opts")
		text = appendOptions(text, m.sel, m.flags)
		attachments = m.packet.Attachments
	case join, leave:
		typ(map[kind]int64{join: classicJoin, leave: classicLeave}[m.kind])
		opts()
		field("rooms")
		text = appendStrings(text, m.rooms)
	case disconnect:
		typ(classicDisconnect)
		opts()
		field("close")
		text = strconv.AppendBool(text, m.closeConn)
	case fetch:
		typ(classicFetch)
		opts()
	case allRooms:
		typ(classicAllRooms)
	case serverSideEmit:
		typ(classicServerSide)
		field("data")
		text = appendEvent(text, m.event, m.args)
	}
	text = append(text, '}')
	return c.outgoing(c.requests, text, attachments, m.kind == broadcast)
}

func (c *classic) encodeAnswer(m *message, to string) (outgoing, error) {
	channel := c.answers
	if c.specific && to != "" && m.kind != emitAnswer {
		channel += to + "#"
	}
	text := appendString([]byte(`{"requestId":`), m.requestID)
	field := func(key string) { text = append(append(append(text, `,"`...), key...), `":`...) }
	value := func(key string) {
		if v := firstArg(m.args); v != nil {
			field(key)
			text = append(text, v...)
		}
	}
	switch m.kind {
	case clientCount:
		text = append(text, `,"type":8,"clientCount":`...)
		text = strconv.AppendInt(text, int64(m.clients), 10)
	case clientAck:
		text = append(text, `,"type":9`...)
		value("packet")
	case emitAnswer:
		text = append(text, `,"type":6`...)
		value("data")
	case socketsAnswer:
		field("sockets")
		text = appendSockets(text, m.sockets)
	case idsAnswer:
		field("sockets")
		text = appendStrings(text, m.rooms)
	case roomsAnswer:
		field("rooms")
		text = appendStrings(text, m.rooms)
	}
	text = append(text, '}')
	return c.outgoing(channel, text, m.args.Attachments, m.kind == clientAck)
}

// outgoing makes a message of its JSON, in MessagePack where it must be or has
// binary values.
func (c *classic) outgoing(channel string, text []byte, attachments [][]byte, pack bool) (outgoing, error) {
	if !pack && len(attachments) == 0 {
		return outgoing{channel: channel, payload: text}, nil
	}
	msg, err := notepack.AppendJSON(make([]byte, 0, len(text)), text, attachments)
	return outgoing{channel: channel, payload: msg}, err
}
