package sio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/tinylib/msgp/msgp"
)

// packer converts packets between text and MessagePack (socket.io-msgpack-parser). What it returns is valid until its next use.
type packer struct {
	text, packed []byte // the last packet that was packed
	out          bytes.Buffer
}

// pack returns a text packet without attachments as MessagePack. Workloads often repeat a packet.
func (k *packer) pack(text []byte) ([]byte, error) {
	if len(k.packed) > 0 && bytes.Equal(text, k.text) {
		return k.packed, nil
	}
	k.text, k.packed = append(k.text[:0], text...), k.packed[:0]
	if len(text) == 0 || text[0] < Connect || text[0] > ConnectError {
		return nil, fmt.Errorf("%w: %.100q cannot be packed", ErrProtocol, text)
	}
	id, data := text[1:], text[1:]
	for len(data) > 0 && data[0] >= '0' && data[0] <= '9' {
		data = data[1:]
	}
	id = id[:len(id)-len(data)]
	fields := uint32(2)
	if len(id) > 0 {
		fields++
	}
	if len(data) > 0 {
		fields++
	}
	b := msgp.AppendMapHeader(k.packed, fields)
	b = append(msgp.AppendString(b, "type"), text[0]-Connect)
	if len(data) > 0 {
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var err error
		if b, err = packValue(msgp.AppendString(b, "data"), d); err != nil {
			return nil, err
		}
	}
	if len(id) > 0 {
		n, err := strconv.ParseInt(string(id), 10, 64)
		if err != nil {
			return nil, err
		}
		b = msgp.AppendInt64(msgp.AppendString(b, "id"), n)
	}
	k.packed = msgp.AppendString(msgp.AppendString(b, "nsp"), "/")
	return k.packed, nil
}

// packValue appends the next JSON value. Members keep their order.
func packValue(dst []byte, d *json.Decoder) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		var values []byte
		n := uint32(0)
		for ; d.More(); n++ {
			if values, err = packValue(values, d); err != nil {
				return nil, err
			}
		}
		if _, err = d.Token(); err != nil {
			return nil, err
		}
		if v == '[' {
			return append(msgp.AppendArrayHeader(dst, n), values...), nil
		}
		return append(msgp.AppendMapHeader(dst, n/2), values...), nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return msgp.AppendInt64(dst, n), nil
		}
		f, err := v.Float64()
		return msgp.AppendFloat64(dst, f), err
	}
	return msgp.AppendIntf(dst, token) // a string, a bool or nil
}

// unpack returns a packet as text.
func (k *packer) unpack(packed []byte) ([]byte, error) {
	var kind, id, data, nsp []byte
	n, b, err := msgp.ReadMapHeaderBytes(packed)
	for ; n > 0 && err == nil; n-- {
		var key []byte
		if key, b, err = msgp.ReadMapKeyZC(b); err != nil {
			break
		}
		value := b
		b, err = msgp.Skip(b)
		value = value[:len(value)-len(b)]
		switch string(key) {
		case "type":
			kind = value
		case "id":
			id = value
		case "data":
			data = value
		case "nsp":
			nsp = value
		}
	}
	k.out.Reset()
	number := func(value []byte) {
		v, _, wrong := msgp.ReadInt64Bytes(value)
		if wrong != nil {
			err = wrong
		}
		k.out.Write(strconv.AppendInt(k.out.AvailableBuffer(), v, 10))
	}
	if err == nil {
		number(kind)
	}
	if err == nil && len(id) > 0 {
		number(id)
	}
	if err == nil && len(data) > 0 {
		_, err = msgp.UnmarshalAsJSON(&k.out, data)
	}
	if err != nil || len(b) > 0 || string(nsp) != "\xa1/" {
		return nil, fmt.Errorf("%w: packed %.100q: %v", ErrProtocol, packed, err)
	}
	return k.out.Bytes(), nil
}
