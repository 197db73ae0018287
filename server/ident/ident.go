// Package ident implements the identifier of users and rooms.
//
// On the wire an identifier is a JSON string or a JSON integer, and 42 and "42"
// identify the same user or room. An ID therefore has two forms: [ID.Key], the
// canonical text used for lookups, and its JSON form, which is as the client sent it.
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
	// MaxLength is the maximum length of an identifier, in Unicode code points.
	MaxLength = 256

	// MaxInt is the maximum magnitude of an integer identifier, JavaScript's
	// Number.MAX_SAFE_INTEGER. JSON.parse rounds larger numbers, so a browser would
	// send back another identifier than it received. Larger numbers must be sent as
	// strings.
	MaxInt = 1<<53 - 1

	// Allowed describes valid identifiers, for messages such as "roomId must be …".
	Allowed = "a string of 1 to 256 characters without control characters, or an integer of at most 2^53-1"
)

// maxJSON is the length of the longest JSON form of an identifier: two escaped
// surrogates of six bytes each per character, and the quotes.
const maxJSON = MaxLength*12 + 2

// ErrInvalid is returned if a value is not an identifier. It does not quote the
// value, which may come from a client.
var ErrInvalid = errors.New("ident: not " + Allowed)

// ID identifies a user or a room. The zero value is not an identifier: a missing
// field decodes to it, and it encodes as null.
//
// An ID is immutable and safe for concurrent use. IDs cannot be compared with ==,
// since 42 and "42" would differ; use [ID.Equal], or [ID.Key] as a map key.
type ID struct {
	_       [0]func() // not comparable
	text    string
	integer bool
}

// String returns the identifier whose JSON form is the string s. It fails with
// ErrInvalid unless s has 1 to MaxLength characters, is valid UTF-8 and contains no
// control character (Unicode category Cc) and no U+FFFD. Decoders substitute U+FFFD
// for invalid text, and two invalid texts must not become the same user.
func String(s string) (ID, error) {
	if !valid(s) {
		return ID{}, ErrInvalid
	}
	return ID{text: s}, nil
}

// Int returns the identifier whose JSON form is the integer n. It fails with
// ErrInvalid if n is not within ±MaxInt.
func Int(n int64) (ID, error) {
	if n > MaxInt || n < -MaxInt {
		return ID{}, ErrInvalid
	}
	return ID{text: strconv.FormatInt(n, 10), integer: true}, nil
}

// Of is [String] for text that the program knows to be an identifier, such as a
// constant. It panics if it is not one.
func Of(s string) ID { return must(String(s)) }

// OfInt is [Int] for a number that the program knows to be an identifier. It panics
// if n is not within ±MaxInt.
func OfInt(n int64) ID { return must(Int(n)) }

func must(id ID, err error) ID {
	if err != nil {
		panic(err)
	}
	return id
}

// Parse parses one JSON value. It reads numbers as JavaScript does: 42.0 and 4.2e1 are
// the integer 42, 4.2 is not an integer. It fails with ErrInvalid for any value that
// is not a valid string or integer, including null. Parse does not retain data.
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

// verbatim reports whether a JSON string literal, without its quotes, equals the
// string it encodes. Nearly every identifier is so.
func verbatim(inner []byte) bool {
	for _, c := range inner {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func parseNumber(data []byte) (ID, error) {
	if !json.Valid(data) { // ParseFloat accepts more than JSON does
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

// Key returns the canonical text: "42" for both 42 and "42". It is empty only for the
// zero value.
func (id ID) Key() string { return id.text }

// String returns Key. It implements [fmt.Stringer].
func (id ID) String() string { return id.text }

// IsZero reports whether id is the zero value.
func (id ID) IsZero() bool { return id.text == "" }

// Equal reports whether id and other identify the same user or room.
func (id ID) Equal(other ID) bool { return id.text == other.text }

// AppendJSON appends the JSON form of the identifier to dst, null for the zero value.
// It escapes only the characters that JSON requires.
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

// MarshalJSON implements [json.Marshaler]. It never fails.
func (id ID) MarshalJSON() ([]byte, error) {
	return id.AppendJSON(make([]byte, 0, len(id.text)+2)), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It is [Parse], except that null gives
// the zero value: IsZero is true for a field that is null or missing.
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
