package redisadapter

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonReader reads JSON in one pass, without reflection. Raw values share the memory of
// the text.
type jsonReader struct {
	dec  jsontext.Decoder
	buf  bytes.Buffer
	text []byte
}

var jsonReaders = sync.Pool{New: func() any { return new(jsonReader) }}

// readJSON calls f with a reader of the text, and checks that f reads all of it.
func readJSON(text []byte, f func(*jsonReader) error) error {
	r := jsonReaders.Get().(*jsonReader)
	r.buf = *bytes.NewBuffer(text)
	r.dec.Reset(&r.buf, wireJSON)
	r.text = text
	err := f(r)
	if err == nil && len(bytes.TrimLeft(text[r.dec.InputOffset():], " \t\r\n")) > 0 {
		err = errTrailing
	}
	r.text, r.buf = nil, bytes.Buffer{}
	jsonReaders.Put(r)
	return err
}

// raw returns the next value's text.
func (r *jsonReader) raw() (jsontext.Value, error) {
	v, err := r.dec.ReadValue()
	end := int(r.dec.InputOffset())
	return r.text[end-len(v) : end : end], err
}

// null skips a null, and reports whether there was one.
func (r *jsonReader) null() bool { return r.dec.PeekKind() == 'n' && r.dec.SkipValue() == nil }

// object calls f with each name, with quotes but without escapes. f must read the value.
func (r *jsonReader) object(f func(name string) error) error {
	if r.null() {
		return nil
	}
	if tok, err := r.dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return errType
	}
	for r.dec.PeekKind() == '"' {
		name, err := r.raw()
		if err != nil {
			return err
		}
		if bytes.IndexByte(name, '\\') >= 0 { // the same name in another spelling
			plain, _ := jsontext.AppendUnquote([]byte{'"'}, name)
			name = append(plain, '"')
		}
		if err := f(string(name)); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *jsonReader) skip() error { return r.dec.SkipValue() }

func (r *jsonReader) str(s *string) error {
	v, err := r.raw()
	if err != nil || v.Kind() != '"' {
		return errType
	}
	text, _ := jsontext.AppendUnquote(nil, v) // invalid UTF-8 is replaced
	*s = string(text)
	return nil
}

func (r *jsonReader) integer(n *int) error {
	v, err := r.raw()
	if err == nil {
		*n, err = strconv.Atoi(string(v))
	}
	return err
}

// list calls f before each element of a list, which f must read.
func (r *jsonReader) list(f func() error) error {
	if tok, err := r.dec.ReadToken(); err != nil || tok.Kind() != '[' {
		return errType
	}
	for r.dec.PeekKind() != ']' {
		if err := f(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// names reads a list of rooms, which may be numbers.
func (r *jsonReader) names(list *[]string) error {
	if r.null() {
		return nil
	}
	return r.list(func() error { return addName(&r.dec, list) })
}
