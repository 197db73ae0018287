package redisadapter

import (
	"strconv"

	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/internal/notepack"
)

func (c *classic) encode(m *message, to string) (redisbus.Message, error) {
	switch {
	case m.kind == broadcast && m.requestID == "":
		return c.encodeBroadcast(m)
	case m.kind.isAnswer():
		return c.encodeAnswer(m, to)
	}
	return c.encodeRequest(m)
}

func (c *classic) encodeBroadcast(m *message) (redisbus.Message, error) {
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
	return redisbus.Message{Channel: channel, Payload: b}, err
}

func (c *classic) encodeRequest(m *message) (redisbus.Message, error) {
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
	return c.pack(c.requests, text, attachments, m.kind == broadcast)
}

func (c *classic) encodeAnswer(m *message, to string) (redisbus.Message, error) {
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
	return c.pack(channel, text, m.args.Attachments, m.kind == clientAck)
}

// pack returns a message of its JSON: in MessagePack if it must be, or has binary values.
func (c *classic) pack(channel string, text []byte, attachments [][]byte, pack bool) (redisbus.Message, error) {
	if !pack && len(attachments) == 0 {
		return redisbus.Message{Channel: channel, Payload: text}, nil
	}
	msg, err := notepack.AppendJSON(make([]byte, 0, len(text)), text, attachments)
	return redisbus.Message{Channel: channel, Payload: msg}, err
}
