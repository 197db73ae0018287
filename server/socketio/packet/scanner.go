package packet

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
	"unsafe"
)

// DefaultMaxDepth is how deeply arrays and objects may be nested by default.
const DefaultMaxDepth = 512

// scanner checks JSON (RFC 8259) without decoding it. In the same pass it finds
// the end of a value and the placeholders of attachments and bounds the depth,
// which no library's validator does; it runs for each packet that comes in.
type scanner struct {
	b        []byte
	i        int
	start    int // of the document's value
	depth    int
	maxDepth int
	// strict refuses a placeholder that names none of the attachments.
	strict      bool
	attachments int
	// found, where not nil, is told of each placeholder.
	found func(start, end, num int)
}

// document checks that b is one value and white space.
func (s *scanner) document() error {
	if s.maxDepth == 0 {
		s.maxDepth = DefaultMaxDepth
	}
	s.space()
	s.start = s.i
	if err := s.value(); err != nil {
		return err
	}
	s.space()
	if s.i != len(s.b) {
		return ErrPayload
	}
	return nil
}

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) value() error {
	switch c := s.peek(); c {
	case '"':
		return s.str()
	case '{':
		return s.object()
	case '[':
		return s.array()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(want string) error {
	if len(s.b)-s.i < len(want) || string(s.b[s.i:s.i+len(want)]) != want {
		return ErrPayload
	}
	s.i += len(want)
	return nil
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return ErrPayload
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return ErrPayload
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return ErrPayload
		}
	}
	return nil
}

func (s *scanner) str() error {
	for i := s.i + 1; i < len(s.b); i++ {
		for i+8 <= len(s.b) && plain(binary.LittleEndian.Uint64(s.b[i:])) {
			i += 8
		}
		if i == len(s.b) {
			break
		}
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			return nil
		case c == '\\':
			n := escapeLen(s.b[i:])
			if n == 0 {
				return ErrPayload
			}
			i += n - 1
		case c < 0x20:
			return ErrPayload
		}
	}
	return ErrPayload
}

// plain reports whether none of eight bytes ends a string, begins an escape or
// is a control character. Of a byte that it is x, x^x is 0; taking 1 (or 0x20,
// for those below it) off a byte that is less borrows, and sets its top bit.
func plain(w uint64) bool {
	const each, top = 0x0101010101010101, 0x8080808080808080
	quote, escape := w^each*'"', w^each*'\\'
	return ((quote-each)&^quote|(escape-each)&^escape|(w-each*0x20)&^w)&top == 0
}

// escapeLen is the length of the escape that b starts with, 0 where it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
		return 6
	}
	return 0
}

func (s *scanner) enter() error {
	s.i++
	if s.depth++; s.depth > s.maxDepth && s.maxDepth > 0 {
		return ErrTooDeep
	}
	return nil
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	s.space()
	if s.peek() == ']' {
		s.i++
		s.depth--
		return nil
	}
	for {
		s.space()
		if err := s.value(); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			s.depth--
			return nil
		default:
			return ErrPayload
		}
	}
}

func (s *scanner) object() error {
	start := s.i
	if err := s.enter(); err != nil {
		return err
	}
	s.space()
	if s.peek() == '}' {
		s.i++
		s.depth--
		return nil
	}
	marked, num := false, -1
	for {
		s.space()
		if s.peek() != '"' {
			return ErrPayload
		}
		from := s.i
		if err := s.str(); err != nil {
			return err
		}
		key := s.b[from:s.i]
		s.space()
		if s.peek() != ':' {
			return ErrPayload
		}
		s.i++
		s.space()
		from = s.i
		if err := s.value(); err != nil {
			return err
		}
		// Of a repeated key the last counts, as for JSON.parse.
		switch placeholderKey(key) {
		case "_placeholder":
			marked = string(s.b[from:s.i]) == "true"
		case "num":
			num = placeholderNum(s.b[from:s.i])
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			s.depth--
			if !marked {
				return nil
			}
			if s.strict && (num < 0 || num >= s.attachments) {
				return ErrAttachments
			}
			if s.found != nil {
				s.found(start, s.i, num)
			}
			return nil
		default:
			return ErrPayload
		}
	}
}

// placeholderKey returns the key where it is one of a placeholder's.
func placeholderKey(quoted []byte) string {
	switch string(quoted) {
	case `"_placeholder"`:
		return "_placeholder"
	case `"num"`:
		return "num"
	}
	for _, c := range quoted {
		if c == '\\' { // the same key may be spelled with escapes
			key, _ := unquote(quoted)
			return key
		}
	}
	return ""
}

// placeholderNum returns the attachment's number, or -1 for what is not one.
func placeholderNum(b []byte) int {
	n, err := strconv.ParseUint(view(b), 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// unquote decodes a JSON string that is known to be valid.
func unquote(quoted []byte) (string, error) {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c == '\\' {
			var s string
			err := json.Unmarshal(quoted, &s)
			return s, err
		}
	}
	return view(inner), nil
}

// view is b as a string without a copy. Data of packets does not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
