package redisadapter

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/internal/notepack"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

func (c *classic) decode(channel string, payload []byte, use use) (*message, error) {
	switch {
	case strings.HasPrefix(channel, c.prefix):
		return c.decodeBroadcast(payload, use)
	case strings.HasPrefix(channel, c.answers):
		return c.decodeAnswer(payload, use)
	}
	return c.decodeRequest(payload, use.uid)
}

// decodeBroadcast decodes the sender and the selection of a broadcast before the packet,
// because most broadcasts are for other nodes.
func (c *classic) decodeBroadcast(b []byte, use use) (*message, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return nil, err
	}
	if n < 3 {
		return nil, errMissing
	}
	m := &message{kind: broadcast}
	if m.uid, b, err = msgp.ReadStringBytes(b); err != nil {
		return nil, err
	}
	if m.uid == use.uid {
		return nil, errForeign
	}
	body := b
	if b, err = msgp.Skip(b); err != nil {
		return nil, err
	}
	body = body[:len(body)-len(b)]
	if b, err = readPackedOptions(b, &m.sel, &m.flags); err != nil {
		return nil, err
	}
	if n > 3 || len(b) > 0 {
		return nil, errTrailing
	}
	if !use.interested(m.sel) {
		return nil, errForeign
	}
	m.packet, err = c.packet(body)
	return m, err
}

// packet decodes the map of a packet.
func (c *classic) packet(b []byte) (*packet.Packet, error) {
	var (
		typ  int64
		nsp  = packet.Root
		d    = notepack.Decoder{JSON: make([]byte, 0, len(b)+len(b)/4)}
		data bool
	)
	_, err := eachField(b, func(key string, b []byte) (_ []byte, err error) {
		switch key {
		case "type":
			typ, b, err = msgp.ReadInt64Bytes(b)
		case "nsp":
			nsp, b, err = msgp.ReadStringBytes(b)
		case "data":
			if data {
				return nil, errPacket
			}
			data = true
			b, err = d.Value(b)
		default:
			b, err = msgp.Skip(b)
		}
		return b, err
	})
	if err != nil {
		return nil, err
	}
	switch {
	case nsp != c.nsp:
		return nil, errForeign
	case !data:
		return nil, errMissing
	}
	return newPacket(typ, d.JSON, d.Attachments, c.nsp)
}

// classicRequest has the fields of all requests.
type classicRequest struct {
	UID       string         `json:"uid"`
	RequestID string         `json:"requestId"`
	Type      *int           `json:"type"`
	Opts      jsontext.Value `json:"opts"`
	Rooms     names          `json:"rooms"`
	Close     bool           `json:"close"`
	Data      jsontext.Value `json:"data"`
	Packet    jsontext.Value `json:"packet"`
	SID       string         `json:"sid"`  // legacy
	Room      *name          `json:"room"` // legacy
}

func (c *classic) decodeRequest(payload []byte, uid string) (*message, error) {
	var r classicRequest
	attachments, err := unmarshal(payload, &r)
	if err != nil {
		return nil, err
	}
	if r.UID == uid {
		return nil, errForeign
	}
	if r.Type == nil {
		return nil, errType
	}
	m := &message{uid: r.UID, requestID: r.RequestID}
	hasOpts := len(r.Opts) > 0 && r.Opts.Kind() != 'n'
	if hasOpts {
		if err := readJSON(r.Opts, func(r *jsonReader) error { return readOptions(r, &m.sel, &m.flags) }); err != nil {
			return nil, err
		}
	}
	switch *r.Type {
	case classicSockets:
		m.kind, m.sel = fetchIDs, adapter.Selection{Rooms: r.Rooms}
	case classicAllRooms:
		m.kind = allRooms
	case classicJoin, classicLeave, classicDisconnect:
		m.kind = map[int]kind{classicJoin: join, classicLeave: leave, classicDisconnect: disconnect}[*r.Type]
		m.rooms, m.closeConn = r.Rooms, r.Close
		if hasOpts {
			m.requestID = ""
			return m, nil
		}
		if r.SID == "" || m.kind != disconnect && r.Room == nil {
			return nil, errMissing
		}
		m.sel.Rooms = []string{r.SID}
		if r.Room != nil {
			m.rooms = []string{string(*r.Room)}
		}
		return m, nil
	case classicFetch:
		m.kind = fetch
		if !hasOpts {
			return nil, errMissing
		}
	case classicServerSide:
		m.kind = serverSideEmit
		m.event, m.args, err = eventOf(r.Data, attachments)
		return m, err
	case classicBroadcast:
		m.kind = broadcast
		if !hasOpts {
			return nil, errMissing
		}
		if m.packet, err = packetOf(r.Packet, attachments, c.nsp); err != nil {
			return nil, err
		}
	default:
		return nil, errType
	}
	if m.requestID == "" {
		return nil, errMissing
	}
	return m, nil
}

// classicAnswer has the fields of all answers.
type classicAnswer struct {
	RequestID   string         `json:"requestId"`
	Type        *int           `json:"type"`
	ClientCount int            `json:"clientCount"`
	Packet      jsontext.Value `json:"packet"`
	Data        jsontext.Value `json:"data"`
	Sockets     jsontext.Value `json:"sockets"`
	Rooms       jsontext.Value `json:"rooms"`
}

func (c *classic) decodeAnswer(payload []byte, use use) (*message, error) {
	var a classicAnswer
	attachments, err := unmarshal(payload, &a)
	if err != nil {
		return nil, err
	}
	if a.RequestID == "" {
		return nil, errMissing
	}
	m := &message{requestID: a.RequestID}
	if !use.awaits(a.RequestID) { // to another node, as long as answers have one channel
		return nil, errForeign
	}
	switch {
	case a.Type == nil && len(a.Sockets) > 0:
		m.kind = socketsAnswer
		if m.sockets, err = socketsOf(a.Sockets, use.maxAnswer); err == errTooLong {
			return nil, err
		} else if err != nil {
			m.kind = idsAnswer // to a legacy request of another node
		}
	case a.Type == nil && a.Rooms.Kind() == '[':
		m.kind = roomsAnswer
		if err := readJSON(a.Rooms, func(r *jsonReader) error { return r.names(&m.rooms) }); err != nil {
			return nil, err
		}
	case a.Type == nil:
		m.kind = receipt
	case *a.Type == classicServerSide:
		m.kind, m.args = emitAnswer, valueOf(a.Data, attachments)
	case *a.Type == classicClientCount:
		if a.ClientCount < 0 {
			return nil, errMissing
		}
		m.kind, m.clients = clientCount, a.ClientCount
	case *a.Type == classicAck:
		m.kind, m.args = clientAck, valueOf(a.Packet, attachments)
	default:
		return nil, errType
	}
	return m, nil
}
