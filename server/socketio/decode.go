package socketio

import (
	"errors"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/socketio/packet"
)

// decoder decodes a value with its attachments. Decoders are pooled for the
// same reason as encoders, see encoder.
type decoder struct {
	text          []byte
	attachments   [][]byte
	places        []place // placeholders in text, in order
	plain, binary json.Options
}

// place is the position of a placeholder in a text and the number of its
// attachment.
type place struct{ start, num int }

var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	common := json.JoinOptions(
		jsontext.AllowDuplicateNames(true),
		jsontext.AllowInvalidUTF8(true), // lone surrogates, which JavaScript strings can have
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

// decode decodes a text. It looks for placeholders once, before decoding.
func (d *decoder) decode(text []byte, attachments [][]byte, into any) error {
	d.text, d.attachments, d.places = text, attachments, d.places[:0]
	defer func() { d.text, d.attachments = nil, nil }()
	if len(attachments) == 0 {
		return json.Unmarshal(text, into, d.plain)
	}
	packet.Placeholders(text, func(start, _, num int) { d.places = append(d.places, place{start, num}) })
	return json.Unmarshal(text, into, d.binary)
}

var errNoAttachment = errors.New("placeholder without attachment")

// attachment returns the attachment of the next object, and skips the object,
// if it is a placeholder.
func (d *decoder) attachment(dec *jsontext.Decoder) (b []byte, is bool, err error) {
	at := int(dec.InputOffset())
	for d.text[at] != '{' { // white space and separators
		at++
	}
	i, is := slices.BinarySearchFunc(d.places, at, func(p place, at int) int { return p.start - at })
	if !is {
		return nil, false, nil
	}
	if num := d.places[i].num; num >= 0 && num < len(d.attachments) {
		return d.attachments[num], true, dec.SkipValue()
	}
	return nil, true, errNoAttachment
}

// unmarshalValue sets v to a part of the text, without a copy, since it may be
// large.
func (d *decoder) unmarshalValue(dec *jsontext.Decoder, v *Value) error {
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	end := int(dec.InputOffset())
	v.JSON, v.Attachments = d.text[end-len(text):end:end], d.attachments
	return nil
}

func (d *decoder) unmarshalBytes(dec *jsontext.Decoder, b *[]byte) error {
	if dec.PeekKind() != '{' {
		return errors.ErrUnsupported // base64 in a string, or null
	}
	data, is, err := d.attachment(dec)
	if err == nil && !is {
		err = errors.New("got an object, want bytes")
	}
	*b = data
	return err
}

// resetAny makes the last of repeated names win, as JSON.parse does; package
// json would merge objects.
func resetAny(_ *jsontext.Decoder, v *any) error {
	*v = nil
	return errors.ErrUnsupported
}

// unmarshalAny is resetAny that also decodes placeholders into []byte.
func (d *decoder) unmarshalAny(dec *jsontext.Decoder, v *any) error {
	*v = nil
	if dec.PeekKind() != '{' {
		return errors.ErrUnsupported
	}
	data, is, err := d.attachment(dec)
	if err != nil {
		return err
	}
	if !is {
		return errors.ErrUnsupported
	}
	*v = data
	return nil
}
