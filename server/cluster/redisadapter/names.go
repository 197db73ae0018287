package redisadapter

import (
	"crypto/rand"
	"fmt"
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

// packedNames appends the names of a list of rooms in MessagePack.
func packedNames(b []byte, names *[]string) ([]byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return nil, err
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
