package redisadapter

import (
	"crypto/rand"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
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

// maxNames bounds a list of rooms: in a message, one takes only a byte or two.
const maxNames = 1 << 20

// names are the names of rooms, which may be numbers on Node.
type names []string

func (n *names) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil || tok.Kind() == 'n' {
		return err
	}
	if tok.Kind() != '[' {
		return errType
	}
	for dec.PeekKind() != ']' {
		if err := addName(dec, (*[]string)(n)); err != nil {
			return err
		}
	}
	_, err = dec.ReadToken()
	return err
}

// name is one of them.
type name string

func (n *name) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var list []string
	err := addName(dec, &list)
	if err == nil {
		*n = name(list[0])
	}
	return err
}

// addName reads the name of a room.
func addName(dec *jsontext.Decoder, list *[]string) error {
	tok, err := dec.ReadToken()
	if err != nil || tok.Kind() != '"' && tok.Kind() != '0' {
		return errType
	}
	if len(*list) == maxNames {
		return errNames
	}
	*list = append(*list, tok.String())
	return nil
}

// packedNames appends the names of a list of rooms in MessagePack.
func packedNames(b []byte, names *[]string) ([]byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return nil, err
	}
	if uint64(n) > uint64(maxNames-len(*names)) { // the field may be repeated
		return nil, errNames
	}
	for range n {
		var s string
		switch msgp.NextType(b) {
		case msgp.IntType, msgp.UintType:
			var i int64
			i, b, err = msgp.ReadInt64Bytes(b)
			s = strconv.FormatInt(i, 10)
		case msgp.Float64Type:
			var f float64
			f, b, err = msgp.ReadFloat64Bytes(b)
			s = strconv.FormatFloat(f, 'f', -1, 64)
		default:
			s, b, err = msgp.ReadStringBytes(b)
		}
		if err != nil {
			return nil, err
		}
		*names = append(*names, s)
	}
	return b, nil
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
