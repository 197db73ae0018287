package socketio

import (
	"errors"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/socketio/packet"
)

// decoder decodes a value with its attachments; see encoder for why it is kept.
type decoder struct {
	text          []byte
	attachments   [][]byte
	plain, binary json.Options
}

var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	common := json.JoinOptions(
		jsontext.AllowDuplicateNames(true),
		jsontext.AllowInvalidUTF8(true), // lone surrogates, which JavaScript's strings can have
	)
	value := json.UnmarshalFromFunc(d.unmarshalValue)
	d.plain = json.JoinOptions(common, json.WithUnmarshalers(json.JoinUnmarshalers(value, json.UnmarshalFromFunc(resetAny))))
	d.binary = json.JoinOptions(common, json.WithUnmarshalers(json.JoinUnmarshalers(
		value,
		json.UnmarshalFromFunc(d.unmarshalBytes),
		json.UnmarshalFromFunc(d.unmarshalAny),
	)))
	return d
}}

func (d *decoder) options(binary bool) json.Options {
	if binary {
		return d.binary
	}
	return d.plain
}

var errNoAttachment = errors.New("placeholder of no attachment")

// attachment returns what a JSON value stands for where it is a placeholder.
func (d *decoder) attachment(text []byte) (b []byte, is bool, err error) {
	packet.Placeholders(text, func(start, end, num int) {
		if start != 0 || end != len(text) {
			return
		}
		is = true
		if num < 0 || num >= len(d.attachments) {
			err = errNoAttachment
			return
		}
		b = d.attachments[num]
	})
	return b, is, err
}

func (d *decoder) unmarshalValue(dec *jsontext.Decoder, v *Value) error {
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if len(d.attachments) == 0 { // it may be large: a part of what is being decoded, and no copy
		end := int(dec.InputOffset())
		v.JSON, v.Attachments = d.text[end-len(text):end:end], nil
		return nil
	}
	v.JSON, v.Attachments, err = Value{JSON: text, Attachments: d.attachments}.AppendArg(nil, nil)
	return err
}

func (d *decoder) unmarshalBytes(dec *jsontext.Decoder, b *[]byte) error {
	if dec.PeekKind() != '{' {
		return errors.ErrUnsupported // base64 in a string, or null
	}
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	data, is, err := d.attachment(text)
	if err == nil && !is {
		err = errors.New("object where bytes are due")
	}
	*b = data
	return err
}

// resetAny has the last of repeated names count, as for JSON.parse: by itself
// package json merges the values that are objects.
func resetAny(_ *jsontext.Decoder, v *any) error {
	*v = nil
	return errors.ErrUnsupported
}

// unmarshalAny puts attachments into values of no type: maps and lists keep
// theirs as []byte.
func (d *decoder) unmarshalAny(dec *jsontext.Decoder, v *any) error {
	switch dec.PeekKind() {
	case '[':
		var list []any
		err := json.UnmarshalDecode(dec, &list, d.binary)
		*v = list
		return err
	case '{':
		text, err := dec.ReadValue()
		if err != nil {
			return err
		}
		data, is, err := d.attachment(text)
		if is || err != nil {
			*v = data
			return err
		}
		fields := map[string]any{}
		err = json.Unmarshal(text, &fields, d.binary)
		*v = fields
		return err
	}
	return errors.ErrUnsupported
}
