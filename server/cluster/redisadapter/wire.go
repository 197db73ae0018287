package redisadapter

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/cluster/redisadapter/internal/notepack"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Both protocols build their messages as JSON with placeholders, and pass them
// through package notepack where they are MessagePack on the wire.

var (
	errType     = errors.New("unknown type of message")
	errPacket   = errors.New("not an event")
	errMissing  = errors.New("a field is missing")
	errTrailing = errors.New("bytes after the message")
	errDepth    = errors.New("nested too deeply")
	errUTF8     = errors.New("not UTF-8") // clients would close their connections
)

// eventType is the type of an event's packet, as an integer on this wire.
// binaryEventType is what a sender that is not Node may use.
const (
	eventType       = 2
	binaryEventType = 5
)

func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // invalid UTF-8 is replaced
	return dst
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// appendSelection appends {"rooms":[…],"except":[…] without the last brace.
func appendSelection(dst []byte, sel adapter.Selection) []byte {
	dst = appendStrings(append(dst, `{"rooms":`...), sel.Rooms)
	return appendStrings(append(dst, `,"except":`...), sel.Except)
}

// appendOptions appends a broadcast's selection and flags.
func appendOptions(dst []byte, sel adapter.Selection, flags adapter.Flags) []byte {
	dst = append(appendSelection(dst, sel), `,"flags":{`...)
	mark := len(dst)
	if flags.Volatile {
		dst = append(dst, `"volatile":true,`...)
	}
	if flags.Uncompressed {
		dst = append(dst, `"compress":false,`...)
	}
	if flags.Timeout > 0 {
		dst = append(dst, `"timeout":`...)
		dst = append(strconv.AppendInt(dst, max(flags.Timeout.Milliseconds(), 1), 10), ',')
	}
	if len(dst) > mark {
		dst = dst[:len(dst)-1]
	}
	return append(dst, "}}"...)
}

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

// firstArg is the first of a list of arguments, nil where it is empty: answers
// have one on this wire.
func firstArg(args adapter.Args) []byte {
	one, _ := packet.Element(args.List, 0)
	return one
}

// name is a room's name, which may be a number on Node.
type name string

func (n *name) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case '"', '0':
		*n = name(tok.String())
		return nil
	}
	return fmt.Errorf("%w: room name", errMissing)
}

func stringsOf(names []name) []string {
	if len(names) == 0 {
		return nil
	}
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	return list
}

// wireOptions are the selection and flags of a message.
type wireOptions struct {
	Rooms  []name    `json:"rooms"`
	Except []name    `json:"except"`
	Flags  wireFlags `json:"flags"`
}

type wireFlags struct {
	Volatile jsontext.Value `json:"volatile"`
	Compress jsontext.Value `json:"compress"`
	Timeout  jsontext.Value `json:"timeout"`
}

func (o wireOptions) selection() adapter.Selection {
	return adapter.Selection{Rooms: stringsOf(o.Rooms), Except: stringsOf(o.Except)}
}

func (f wireFlags) flags() adapter.Flags {
	flags := adapter.Flags{Volatile: string(f.Volatile) == "true", Uncompressed: string(f.Compress) == "false"}
	if ms, err := strconv.ParseFloat(string(f.Timeout), 64); err == nil {
		flags.Timeout = milliseconds(ms)
	}
	return flags
}

// newPacket checks that data is an event, and makes its packet.
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

// packetOf makes a packet of the JSON object of one, whose memory it shares.
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

// own gives a part of a message the attachments that it names, out of all.
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

// valueOf makes arguments of the one that an answer has.
func valueOf(value jsontext.Value, all [][]byte) (args adapter.Args) {
	if len(value) > 0 {
		args.List, args.Attachments = own(value, all)
	}
	return args
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

var wireJSON = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// textOf returns the JSON of a message that is JSON or MessagePack. What is
// binary in it is returned aside, or as text where inText says so.
func textOf(payload []byte, inText bool) (text []byte, attachments [][]byte, err error) {
	if len(payload) > 0 && payload[0] == '{' {
		if tooDeep(payload) {
			return nil, nil, errDepth
		}
		if !utf8.Valid(payload) {
			return nil, nil, errUTF8
		}
		return payload, nil, nil
	}
	d := notepack.Decoder{InText: inText}
	rest, err := d.Value(payload)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return d.JSON, d.Attachments, err
}

// unmarshal reads a message that is JSON or MessagePack.
func unmarshal(payload []byte, into any) (attachments [][]byte, err error) {
	text, attachments, err := textOf(payload, false)
	if err != nil {
		return nil, err
	}
	return attachments, json.Unmarshal(text, into, wireJSON)
}

// tooDeep reports whether JSON is nested more deeply than MessagePack may be.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > notepack.MaxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// randomID returns n characters of the alphabet of Node's uid2.
func randomID(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return string(b)
}
