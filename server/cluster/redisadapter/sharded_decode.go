package redisadapter

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// shardedMessage has the fields of all messages.
type shardedMessage struct {
	typ         int
	uid, nsp    string
	requestID   string
	packet      jsontext.Value // of broadcasts, arguments, or an answer
	hasOpts     bool
	sel         adapter.Selection
	flags       adapter.Flags
	rooms       []string
	closeConn   bool
	clientCount int
	sockets     jsontext.Value
}

func (w *shardedMessage) read(r *jsonReader) error {
	return r.object(func(name string) error {
		switch name {
		case `"type"`:
			return r.integer(&w.typ)
		case `"uid"`:
			return r.str(&w.uid)
		case `"nsp"`:
			return r.str(&w.nsp)
		case `"data"`:
			return r.object(func(name string) error { return w.readData(r, name) })
		}
		return r.skip()
	})
}

func (w *shardedMessage) readData(r *jsonReader, name string) (err error) {
	switch name {
	case `"requestId"`:
		return r.str(&w.requestID)
	case `"packet"`:
		w.packet, err = r.raw()
		return err
	case `"opts"`:
		w.hasOpts = !r.null()
		if !w.hasOpts {
			return nil
		}
		return readOptions(r, &w.sel, &w.flags)
	case `"rooms"`:
		return r.names(&w.rooms)
	case `"close"`:
		v, err := r.raw()
		w.closeConn = string(v) == "true"
		return err
	case `"clientCount"`:
		return r.integer(&w.clientCount)
	case `"sockets"`:
		w.sockets, err = r.raw()
		return err
	}
	return r.skip()
}

func (s *sharded) decode(channel string, payload []byte, use use) (*message, error) {
	var w shardedMessage
	text, attachments, err := textOf(payload, false)
	if err == nil {
		err = readJSON(text, w.read)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case w.nsp == "":
		return nil, errMissing
	case w.uid == use.uid || w.nsp != s.nsp:
		return nil, errForeign
	}
	if strings.HasSuffix(channel, "#"+use.uid+"#") != isShardedAnswer(w.typ) {
		return nil, errType
	}
	if w.typ == shardedSockets && len(attachments) > 0 {
		// Descriptions of sockets have no attachments.
		w, attachments = shardedMessage{}, nil
		if text, _, err = textOf(payload, true); err == nil {
			err = readJSON(text, w.read)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.message(&w, attachments, use)
}

func isShardedAnswer(typ int) bool {
	switch typ {
	case shardedSockets, shardedServerSideReply, shardedClientCount, shardedAck:
		return true
	}
	return false
}

func (s *sharded) message(w *shardedMessage, attachments [][]byte, use use) (m *message, err error) {
	m = &message{uid: w.uid, requestID: w.requestID, rooms: w.rooms, closeConn: w.closeConn, sel: w.sel, flags: w.flags}
	needsOpts, needsID := true, false
	switch w.typ {
	case shardedBroadcast:
		m.kind = broadcast
		if !w.hasOpts {
			return nil, errMissing
		}
		if m.requestID == "" && !use.interested(m.sel) {
			return nil, errForeign
		}
		if m.packet, err = packetOf(w.packet, attachments, s.nsp); err != nil {
			return nil, err
		}
	case shardedJoin:
		m.kind = join
	case shardedLeave:
		m.kind = leave
	case shardedDisconnect:
		m.kind = disconnect
	case shardedFetch:
		m.kind, needsID = fetch, true
	case shardedServerSide:
		m.kind, needsOpts = serverSideEmit, false
		if m.event, m.args, err = eventOf(w.packet, attachments); err != nil {
			return nil, err
		}
	case shardedSockets:
		m.kind, needsOpts, needsID = socketsAnswer, false, true
		switch {
		case w.sockets.Kind() != '[':
			return nil, errMissing
		case !use.awaits(m.requestID):
			return nil, errForeign
		}
		if m.sockets, err = socketsOf(w.sockets, use.maxAnswer); err != nil {
			return nil, err
		}
	case shardedServerSideReply:
		m.kind, m.args, needsOpts, needsID = emitAnswer, valueOf(w.packet, attachments), false, true
	case shardedClientCount:
		m.kind, m.clients, needsOpts, needsID = clientCount, w.clientCount, false, true
	case shardedAck:
		m.kind, m.args, needsOpts, needsID = clientAck, valueOf(w.packet, attachments), false, true
	default:
		return nil, errType
	}
	if needsOpts && !w.hasOpts || needsID && m.requestID == "" || m.clients < 0 {
		return nil, errMissing
	}
	if m.kind <= disconnect && m.kind != broadcast {
		m.requestID = "" // receipts are of the classic protocol
	}
	return m, nil
}
