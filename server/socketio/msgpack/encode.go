package msgpack

import (
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/server/internal/notepack"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Append appends a packet, with its attachments inside of its data and its keys in the
// order in which Node sends them. It returns an error if the packet's Data is not valid JSON or is
// nested more than 1,000 levels deep.
func Append(dst []byte, p *packet.Packet) ([]byte, error) {
	keys := uint32(2)
	if len(p.Data) > 0 {
		keys++
	}
	if p.HasID {
		keys++
	}
	dst = msgp.AppendMapHeader(dst, keys)
	if p.HasID && p.Type == packet.Ack {
		dst = appendID(dst, p)
	}
	dst = append(msgp.AppendString(dst, "type"), byte(p.Type-packet.Connect))
	if len(p.Data) > 0 {
		var err error
		if dst, err = notepack.AppendJSON(msgp.AppendString(dst, "data"), p.Data, p.Attachments); err != nil {
			return nil, fmt.Errorf("socketio/msgpack: %w", err)
		}
	}
	if p.HasID && p.Type != packet.Ack {
		dst = appendID(dst, p)
	}
	return msgp.AppendString(msgp.AppendString(dst, "nsp"), p.Namespace), nil
}

func appendID(dst []byte, p *packet.Packet) []byte {
	return msgp.AppendUint64(msgp.AppendString(dst, "id"), p.ID)
}
