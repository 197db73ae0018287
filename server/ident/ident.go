// Package ident holds the identifier by which clients name users and rooms.
//
// On the wire an identifier is a JSON string or a JSON integer, and 42 and "42"
// name the same user or room. An ID therefore has two faces: [ID.Key], the
// canonical text under which everything is looked up, and its JSON form, which
// repeats what the client sent.
package ident

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxLength is the greatest length of an identifier, in Unicode code points.
	MaxLength = 256

	// MaxInt is the greatest magnitude of an integer identifier, JavaScript's
	// Number.MAX_SAFE_INTEGER. Above it JSON.parse rounds, so that a browser
	// would name another user than the one it was told of; such identifiers
	// have to be sent as strings.
	MaxInt = 1<<53 - 1

	// Allowed completes a message such as "roomId must be …".
	Allowed = "a string of 1 to 256 characters without control characters, or an integer of at most 2^53-1"
)

// maxJSON is the length of the longest literal of an identifier: every character
// escaped as two surrogates of six bytes each, and the quotes.
const maxJSON = MaxLength*12 + 2

// ErrInvalid says that a value is not an identifier. It does not repeat the
// value, which a client chose.
var ErrInvalid = errors.New("ident: not " + Allowed)

// ID identifies a user or a room. The zero value is no identifier: it is what a
// missing field decodes to, and it encodes as null.
//
// An ID is immutable and safe for concurrent use. IDs do not compare with ==,
// which would tell 42 from "42"; use [ID.Equal], or [ID.Key] as a map key.
type ID struct {
	_       [0]func() // not comparable
	text    string
	integer bool
}

// String returns the identifier that is sent as the JSON string s. It fails
// with ErrInvalid if s is not 1 to MaxLength characters of valid UTF-8 or has a
// control character (Unicode category Cc) in it. U+FFFD is refused too: decoders
// put it in the place of broken text, and two broken texts must not become one
// user.
func String(s string) (ID, error) {
	if !valid(s) {
		return ID{}, ErrInvalid
	}
	return ID{text: s}, nil
}

// Int returns the identifier that is sent as the JSON integer n. It fails with
// ErrInvalid if n is not within ±MaxInt.
func Int(n int64) (ID, error) {
	if n > MaxInt || n < -MaxInt {
		return ID{}, ErrInvalid
	}
	return ID{text: strconv.FormatInt(n, 10), integer: true}, nil
}

// Must returns id and panics if err is not nil. It wraps [String] and [Int] where
// the identifier is a constant.
func Must(id ID, err error) ID {
	if err != nil {
		panic(err)
	}
	return id
}

// Parse reads one JSON value. A number is read as JavaScript reads it: 42.0 and
// 4.2e1 are the integer 42, 4.2 is none. Every other value than a valid string or
// integer, null included, fails with ErrInvalid. Parse does not retain data.
func Parse(data []byte) (ID, error) {
	data = bytes.Trim(data, " \t\r\n")
	switch {
	case len(data) == 0 || len(data) > maxJSON:
		return ID{}, ErrInvalid
	case data[0] == '"':
		return parseString(data)
	case data[0] == '-' || '0' <= data[0] && data[0] <= '9':
		return parseNumber(data)
	default:
		return ID{}, ErrInvalid
	}
}

func parseString(data []byte) (ID, error) {
	if inner, ok := bytes.CutSuffix(data[1:], []byte{'"'}); ok && verbatim(inner) {
		return String(string(inner))
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return ID{}, ErrInvalid
	}
	return String(s)
}

// verbatim reports whether the inside of a JSON string literal is the text it
// stands for, as nearly every identifier is.
func verbatim(inner []byte) bool {
	for _, c := range inner {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func parseNumber(data []byte) (ID, error) {
	if !json.Valid(data) { // ParseFloat takes more than JSON's grammar
		return ID{}, ErrInvalid
	}
	f, err := strconv.ParseFloat(string(data), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > MaxInt {
		return ID{}, ErrInvalid
	}
	return Int(int64(f))
}

func valid(s string) bool {
	if s == "" || len(s) > MaxLength*utf8.UTFMax {
		return false
	}
	n := 0
	for _, r := range s {
		n++
		if n > MaxLength || r == utf8.RuneError || unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// Key returns the canonical text: "42" for both 42 and "42". It is empty for the
// zero value only.
func (id ID) Key() string { return id.text }

// String returns the canonical text, as Key does; it serves package fmt.
func (id ID) String() string { return id.text }

// IsZero reports whether id is the zero value, which identifies nothing.
func (id ID) IsZero() bool { return id.text == "" }

// Equal reports whether id and other name the same user or room.
func (id ID) Equal(other ID) bool { return id.text == other.text }

// AppendJSON appends the identifier to dst in the form in which it was sent, the
// zero value as null. Only the characters that JSON requires are escaped.
func (id ID) AppendJSON(dst []byte) []byte {
	switch {
	case id.IsZero():
		return append(dst, "null"...)
	case id.integer:
		return append(dst, id.text...)
	}
	dst = append(dst, '"')
	for s := id.text; ; {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			dst = append(dst, s...)
			return append(dst, '"')
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, '\\', s[i])
		s = s[i+1:]
	}
}

// MarshalJSON implements [json.Marshaler] by AppendJSON. It never fails.
func (id ID) MarshalJSON() ([]byte, error) {
	return id.AppendJSON(make([]byte, 0, len(id.text)+2)), nil
}

// UnmarshalJSON implements [json.Unmarshaler] by Parse, except that null gives
// the zero value, so that a field that is null and one that is missing are told
// from a valid one by the same IsZero.
func (id *ID) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*id = ID{}
		return nil
	}
	parsed, err := Parse(data)
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
