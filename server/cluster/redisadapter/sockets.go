package redisadapter

import (
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
	Rooms     []name         `json:"rooms"`
	Data      jsontext.Value `json:"data"`
}

func socketsOf(list []wireSocket) []adapter.SocketInfo {
	infos := make([]adapter.SocketInfo, len(list))
	for i, s := range list {
		infos[i] = adapter.SocketInfo{ID: s.ID, Rooms: stringsOf(s.Rooms), Handshake: appendObject(nil, s.Handshake), Data: appendObject(nil, s.Data)}
	}
	return infos
}
