package redisadapter

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// appendSockets appends a list of sockets as Node describes them.
func appendSockets(dst []byte, sockets []adapter.SocketInfo) []byte {
	dst = append(dst, '[')
	for i, s := range sockets {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"id":`...), s.ID)
		dst = appendObject(append(dst, `,"handshake":`...), s.Handshake)
		dst = appendStrings(append(dst, `,"rooms":`...), s.Rooms)
		dst = append(appendObject(append(dst, `,"data":`...), s.Data), '}')
	}
	return append(dst, ']')
}

func appendObject(dst, json []byte) []byte {
	if len(json) == 0 {
		return append(dst, "{}"...)
	}
	return append(dst, json...)
}

// wireSocket is a socket as another node describes it.
type wireSocket struct {
	ID        string         `json:"id"`
	Handshake jsontext.Value `json:"handshake"`
	Rooms     names          `json:"rooms"`
	Data      jsontext.Value `json:"data"`
}

// socketsOf decodes a list of sockets. A short text may describe many, so it stops with
// errTooLong if they need more than most bytes.
func socketsOf(text jsontext.Value, most int) (infos []adapter.SocketInfo, err error) {
	err = readJSON(text, func(r *jsonReader) error {
		return r.list(func() error {
			var s wireSocket
			if err := json.UnmarshalDecode(&r.dec, &s, wireJSON); err != nil {
				return err
			}
			info := adapter.SocketInfo{ID: s.ID, Rooms: s.Rooms, Handshake: appendObject(nil, s.Handshake), Data: appendObject(nil, s.Data)}
			if most -= sizeOfSocket(&info); most < 0 {
				return errTooLong
			}
			infos = append(infos, info)
			return nil
		})
	})
	return infos, err
}
