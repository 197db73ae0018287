package redisadapter

import (
	"strconv"

	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/internal/notepack"
)

func (s *sharded) encode(m *message, to string) (redisbus.Message, error) {
	channel := s.prefix
	attachments := m.args.Attachments
	text := []byte(`{"type":`)
	typ := func(n int64) { text = append(strconv.AppendInt(text, n, 10), `,"data":{`...) }
	field := func(key string) {
		if text[len(text)-1] != '{' {
			text = append(text, ',')
		}
		text = append(append(append(text, '"'), key...), `":`...)
	}
	opts := func() { field("opts"); text = append(appendSelection(text, m.sel), `,"flags":{}}`...) }
	value := func() {
		if v := firstArg(m.args); v != nil {
			field("packet")
			text = append(text, v...)
		}
	}
	switch m.kind {
	case broadcast:
		typ(shardedBroadcast)
		field("packet")
		text = appendPacket(text, m.packet, s.nsp)
		field("opts")
		text = appendOptions(text, m.sel, m.flags)
		attachments = m.packet.Attachments
		if m.requestID == "" && len(m.sel.Rooms) == 1 && s.hasChannel(m.sel.Rooms[0]) {
			channel = s.channel(m.sel.Rooms[0])
		}
	case join, leave:
		typ(map[kind]int64{join: shardedJoin, leave: shardedLeave}[m.kind])
		opts()
		field("rooms")
		text = appendStrings(text, m.rooms)
	case disconnect:
		typ(shardedDisconnect)
		opts()
		field("close")
		text = strconv.AppendBool(text, m.closeConn)
	case fetch, allRooms: // there is no request for rooms
		typ(shardedFetch)
		opts()
	case serverSideEmit:
		typ(shardedServerSide)
		field("packet")
		text = appendEvent(text, m.event, m.args)
	case clientCount:
		typ(shardedClientCount)
		field("clientCount")
		text = strconv.AppendInt(text, int64(m.clients), 10)
	case clientAck:
		typ(shardedAck)
		value()
	case socketsAnswer:
		typ(shardedSockets)
		field("sockets")
		text = appendSockets(text, m.sockets)
	case emitAnswer:
		typ(shardedServerSideReply)
		value()
	default:
		return redisbus.Message{}, errType
	}
	if m.kind.isAnswer() {
		channel = s.channel(to)
	}
	if m.requestID != "" {
		field("requestId")
		text = appendString(text, m.requestID)
	}
	text = appendString(append(text, `},"uid":`...), m.uid)
	text = append(appendString(append(text, `,"nsp":`...), s.nsp), '}')
	if len(attachments) == 0 {
		return redisbus.Message{Channel: channel, Payload: text}, nil
	}
	msg, err := notepack.AppendJSON(make([]byte, 0, len(text)), text, attachments)
	return redisbus.Message{Channel: channel, Payload: msg}, err
}
