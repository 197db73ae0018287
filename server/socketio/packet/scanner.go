package packet

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// scanner checks JSON (RFC 8259) without decoding it. In the same pass it finds
// the end of a value and the placeholders of attachments, bounds the depth and
// counts the elements of the outermost array, which no library's validator
// does. It runs for each received packet, before any rate limit, so its cost
// per byte must be small for every text. Its methods take the index at which
// something begins and return the index after it, or bad.
type scanner struct {
	b []byte
	// Beyond maxDepth levels of nesting, and beyond maxElements elements of the
	// outermost array, there is an excess; 0: no limit. Values nested more
	// deeply are checked, but not searched for placeholders.
	maxDepth, maxElements int
	// strict refuses a placeholder that does not name one of the attachments; with
	// lenient it is an excess only.
	strict, lenient bool
	attachments     int
	// collect keeps placeholders in found.
	collect bool
	// thorough searches everything that is not too deep, see skim.
	thorough bool

	start    int // of the document's value
	depth    int
	elements int // of the last outermost array
	found    []placeholder
	open     levels // for checking without recursion
	excess   error  // ErrTooDeep, ErrTooManyArguments or ErrPlaceholder, whichever came first
	err      error  // why a method returned bad; nil means ErrPayload
}

// placeholder is the position of a placeholder and its attachment's number, or
// -1.
type placeholder struct{ start, end, num int }

const bad = -1

func (s *scanner) fail(err error) int {
	s.err = err
	return bad
}

// problem returns the error of a scan that returned bad.
func (s *scanner) problem() error {
	if s.err != nil {
		return s.err
	}
	return ErrPayload
}

// document checks that b is one value, with white space around it.
func (s *scanner) document() error {
	if s.maxDepth == 0 {
		s.maxDepth = DefaultMaxDepth
	}
	s.start = space(s.b, 0)
	i := s.value(s.start)
	if i < 0 {
		return s.problem()
	}
	if space(s.b, i) != len(s.b) {
		return ErrPayload
	}
	return nil
}

// at returns byte i, or 0 beyond the end.
func (s *scanner) at(i int) byte {
	if i < len(s.b) {
		return s.b[i]
	}
	return 0
}

// space skips white space.
func space(b []byte, i int) int {
	if i < len(b) && b[i] > ' ' {
		return i
	}
	return spaces(b, i)
}

func spaces(b []byte, i int) int {
	for i < len(b) {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			if !blank(w) {
				break
			}
			// Usually a run of the same byte, which takes one comparison.
			for i += 8; i+16 <= len(b) && binary.LittleEndian.Uint64(b[i:]) == w && binary.LittleEndian.Uint64(b[i+8:]) == w; i += 16 {
			}
		}
		if i == len(b) || class[b[i]]&isSpace == 0 {
			return i
		}
		i++
	}
	return i
}

// Classes of bytes.
const (
	isSpace  = 1 << iota // white space
	isEscape             // may follow a backslash, except u
	isHex
)

var class = [256]uint8{
	' ': isSpace, '\t': isSpace, '\n': isSpace, '\r': isSpace,
	'"': isEscape, '\\': isEscape, '/': isEscape, 'n': isEscape, 'r': isEscape, 't': isEscape,
	'0': isHex, '1': isHex, '2': isHex, '3': isHex, '4': isHex, '5': isHex, '6': isHex, '7': isHex, '8': isHex, '9': isHex,
	'a': isHex, 'b': isHex | isEscape, 'c': isHex, 'd': isHex, 'e': isHex, 'f': isHex | isEscape,
	'A': isHex, 'B': isHex, 'C': isHex, 'D': isHex, 'E': isHex, 'F': isHex,
}

const each, top = 0x0101010101010101, 0x8080808080808080

// blank reports whether eight bytes are white space. Of a byte that it is x, x^x
// is 0, and nothing else is: adding 0x7f to its lower bits sets no top bit.
func blank(w uint64) bool {
	other := func(x uint64) uint64 { x ^= w; return (x&^top + top - each) | x }
	return other(each*' ')&other(each*'\t')&other(each*'\n')&other(each*'\r')&top == 0
}

// special returns a word whose lowest set bit is in the first of eight bytes that
// ends a string, begins an escape or is a control character; 0 if none does. Of a
// byte that it is x, x^x is 0; taking 1 (or 0x20, for those below it) off a byte
// that is less borrows, and sets its top bit. What a borrow takes from the byte
// above may set that one's bit too, which is why only the lowest counts.
func special(w uint64) uint64 {
	quote, escape := w^each*'"', w^each*'\\'
	return ((quote-each)&^quote | (escape-each)&^escape | (w-each*0x20)&^w) & top
}

func (s *scanner) value(i int) int {
	if i >= len(s.b) {
		return bad
	}
	switch s.b[i] {
	case '"':
		return str(s.b, i)
	case '{':
		return s.object(i)
	case '[':
		return s.array(i)
	}
	return scalar(s.b, i)
}

// scalar is value for anything but arrays and objects.
func scalar(b []byte, i int) int {
	switch b[i] {
	case '"':
		return str(b, i)
	case 't':
		return literal(b, i, "true")
	case 'f':
		return literal(b, i, "false")
	case 'n':
		return literal(b, i, "null")
	}
	return number(b, i)
}

func literal(b []byte, i int, want string) int {
	if len(b)-i < len(want) || string(b[i:i+len(want)]) != want {
		return bad
	}
	return i + len(want)
}

func digit(c byte) bool { return c-'0' <= 9 }

// digits skips at least one digit.
func digits(b []byte, i int) int {
	from := i
	for i < len(b) && digit(b[i]) {
		i++
	}
	if i == from {
		return bad
	}
	return i
}

func number(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = digits(b, i); i < 0 {
		return bad
	}
	if i < len(b) && b[i] == '.' {
		if i = digits(b, i+1); i < 0 {
			return bad
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digits(b, i)
	}
	return i
}

func str(b []byte, i int) int {
	i++
	for {
		// Skip to the next special byte.
		for i+8 <= len(b) {
			m := special(binary.LittleEndian.Uint64(b[i:]))
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			i++
		}
		if i == len(b) || b[i] < ' ' {
			return bad
		}
		if b[i] == '"' {
			return i + 1
		}
		if i = escapes(b, i); i < 0 {
			return bad
		}
	}
}

// escapes skips consecutive escapes.
func escapes(b []byte, i int) int {
	for i+1 < len(b) && b[i] == '\\' {
		switch c := b[i+1]; {
		case class[c]&isEscape != 0:
			i += 2
		case c == 'u' && len(b)-i >= 6:
			h := b[i+2 : i+6 : i+6]
			if class[h[0]]&class[h[1]]&class[h[2]]&class[h[3]]&isHex == 0 {
				return bad
			}
			i += 6
		default:
			return bad
		}
	}
	if i == len(b)-1 && b[i] == '\\' {
		return bad
	}
	return i
}

func (s *scanner) exceed(err error) {
	if s.excess == nil {
		s.excess = err
	}
}

func (s *scanner) enter() bool {
	if s.depth >= s.maxDepth && s.maxDepth > 0 {
		s.exceed(ErrTooDeep)
		return false
	}
	s.depth++
	return true
}

func (s *scanner) array(i int) int {
	if !s.enter() {
		return s.below(i)
	}
	if s.depth > shallow && !s.thorough {
		if end, done := s.skim(i); done {
			return end
		}
	}
	b, n, most := s.b, 0, math.MaxInt
	if s.depth == 1 && s.maxElements > 0 {
		most = s.maxElements
	}
	if i = space(b, i+1); i < len(b) && b[i] == ']' {
		return s.leave(i, 0)
	}
	for {
		if n++; n > most {
			s.exceed(ErrTooManyArguments)
			most = math.MaxInt
		}
		i = space(b, i)
		if one := i + 1; one < len(b) && digit(b[i]) && (b[one] == ',' || b[one] == ']') {
			i = one // one digit, the shortest element
		} else if i = s.value(i); i < 0 {
			return bad
		}
		if i = space(b, i); i == len(b) {
			return bad
		}
		switch b[i] {
		case ',':
			i++
		case ']':
			return s.leave(i, n)
		default:
			return bad
		}
	}
}

func (s *scanner) leave(i, elements int) int {
	if s.depth == 1 {
		s.elements = elements
	}
	s.depth--
	return i + 1
}

func (s *scanner) object(start int) int {
	if !s.enter() {
		return s.below(start)
	}
	if s.depth > shallow && !s.thorough {
		if end, done := s.skim(start); done {
			return end
		}
	}
	b := s.b
	i := space(b, start+1)
	if i < len(b) && b[i] == '}' {
		s.depth--
		return i + 1
	}
	marked, num := false, -1 // of a placeholder
	for {
		key := space(b, i)
		if key == len(b) || b[key] != '"' {
			return bad
		}
		if i = str(b, key); i < 0 {
			return bad
		}
		end := i
		if i = space(b, i); i == len(b) || b[i] != ':' {
			return bad
		}
		value := space(b, i+1)
		if i = s.value(value); i < 0 {
			return bad
		}
		// The name is compared only if the value fits a placeholder.
		// Of a repeated name the last counts, as for JSON.parse.
		if c := b[value]; c == 't' || marked {
			if isKey(b[key:end], "_placeholder") {
				marked = c == 't'
			}
		}
		if c := b[value]; digit(c) || num >= 0 {
			if isKey(b[key:end], "num") {
				num = placeholderNum(b[value:i])
			}
		}
		if i = space(b, i); i == len(b) {
			return bad
		}
		switch b[i] {
		case ',':
			i++
		case '}':
			s.depth--
			if !marked {
				return i + 1
			}
			return s.placeholder(start, i+1, num)
		default:
			return bad
		}
	}
}

func (s *scanner) placeholder(start, end, num int) int {
	if s.strict && (num < 0 || num >= s.attachments) {
		if !s.lenient {
			return s.fail(ErrAttachments)
		}
		s.exceed(ErrPlaceholder)
	}
	if s.collect {
		for n := len(s.found); n > 0 && s.found[n-1].start > start; n-- { // inside this one
			s.found = s.found[:n-1]
		}
		s.found = append(s.found, placeholder{start, end, num})
	}
	return end
}

// isKey reports whether a quoted name, which may contain escapes, equals name,
// which contains none.
func isKey(quoted []byte, name string) bool {
	text := quoted[1 : len(quoted)-1]
	if len(text) == len(name) {
		return string(text) == name
	}
	if len(text) < len(name) || len(text) > len(`\u0000`)*len(name) {
		return false
	}
	for i := range len(name) {
		if len(text) == 0 {
			return false
		}
		c, n := text[0], 1
		if c == '\\' {
			if text[1] != 'u' {
				return false // no other escape stands for a letter
			}
			r := hex(text[2:6])
			if r >= utf8.RuneSelf {
				return false
			}
			c, n = byte(r), 6
		}
		if c != name[i] {
			return false
		}
		text = text[n:]
	}
	return len(text) == 0
}

// placeholderNum returns the attachment's number, or -1 if b is not a valid
// one.
func placeholderNum(b []byte) int {
	n, err := strconv.ParseUint(view(b), 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// view returns b as a string without copying. Data of packets does not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
