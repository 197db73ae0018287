package redisadapter

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// eventType is the type of an event's packet, an integer on this wire. Senders other than
// Node may use binaryEventType.
const (
	eventType       = 2
	binaryEventType = 5
)

// appendPacket appends an event's packet.
func appendPacket(dst []byte, p *packet.Packet, nsp string) []byte {
	dst = append(dst, `{"type":2,"data":`...)
	dst = append(dst, p.Data...)
	dst = appendString(append(dst, `,"nsp":`...), nsp)
	return append(dst, '}')
}

// appendEvent appends the array of an event's name and arguments.
func appendEvent(dst []byte, event string, args adapter.Args) []byte {
	dst = appendString(append(dst, '['), event)
	if len(args.List) > 0 {
		dst = append(append(dst, ','), args.List...)
	}
	return append(dst, ']')
}

// firstArg returns the first of a list of arguments, nil if the list is empty: answers
// have one on this wire.
func firstArg(args adapter.Args) []byte {
	one, _ := packet.Element(args.List, 0)
	return one
}

// newPacket returns the packet of an event. data may be anything.
func newPacket(typ int64, data []byte, attachments [][]byte, nsp string) (*packet.Packet, error) {
	if typ != eventType && typ != binaryEventType {
		return nil, errPacket
	}
	event, _, err := packet.Name(data)
	if err != nil || packet.Reserved(event) {
		return nil, errPacket
	}
	return &packet.Packet{Type: packet.Event, Namespace: nsp, Data: data, Attachments: attachments}, nil
}

// packetOf decodes the JSON object of a packet, whose memory the packet shares.
func packetOf(text jsontext.Value, all [][]byte, nsp string) (*packet.Packet, error) {
	typ, name, data := 0, nsp, jsontext.Value(nil) // Node's sharded adapter leaves the namespace out
	err := readJSON(text, func(r *jsonReader) error {
		return r.object(func(field string) (err error) {
			switch field {
			case `"type"`:
				return r.integer(&typ)
			case `"nsp"`:
				return r.str(&name)
			case `"data"`:
				data, err = r.raw()
				return err
			}
			return r.skip()
		})
	})
	if err != nil {
		return nil, err
	}
	if name != nsp {
		return nil, errForeign
	}
	event, attachments := own(data, all)
	return newPacket(int64(typ), event, attachments, nsp)
}

// own returns a part of a message with the attachments that it names, out of all.
func own(json []byte, all [][]byte) ([]byte, [][]byte) {
	if len(all) == 0 {
		return json, nil
	}
	return packet.AppendValue(nil, json, all, nil)
}

// eventOf splits the array of an event's name and arguments.
func eventOf(data []byte, all [][]byte) (event string, args adapter.Args, err error) {
	event, list, err := packet.Name(data)
	if err != nil {
		return "", args, errPacket
	}
	args.List, args.Attachments = own(list, all)
	return event, args, nil
}

// valueOf returns arguments with the one value of an answer.
func valueOf(value jsontext.Value, all [][]byte) (args adapter.Args) {
	if len(value) > 0 {
		args.List, args.Attachments = own(value, all)
	}
	return args
}
