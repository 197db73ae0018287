package packet

import "bytes"

// DefaultMaxDepth is how deeply arrays and objects may be nested in an argument
// by default. Node has no such limit; its process ends when it has to encode a
// value that is nested some thousand levels deep.
const DefaultMaxDepth = 512

// TooDeep reports whether arrays and objects are nested more than most levels
// deep in a JSON value, or in a list of values with commas between. Text that is
// no JSON is not.
func TooDeep(json []byte, most int) bool {
	if len(json) <= 2*most || bytes.Count(json, []byte{'['})+bytes.Count(json, []byte{'{'}) <= most {
		return false // nearly always, at a small part of what scanning costs
	}
	s := scanner{b: json, maxDepth: most}
	for i := space(json, 0); i < len(json); i = space(json, i) {
		if i = s.value(i); i < 0 {
			return false
		}
		if i = space(json, i); s.at(i) == ',' {
			i++
		}
	}
	return s.excess != nil
}

// below checks the array or object that begins at b[i] and returns the index
// behind it, or bad. It does not recurse, so that a message that is nothing but
// brackets costs a bit for each.
func below(b []byte, i int) int {
	var few [32]uint64
	open := levels{bits: few[:0]}
	for {
		// A value begins here.
		if i >= len(b) {
			return bad
		}
		switch c := b[i]; c {
		case '[', '{':
			open.push(c == '{')
			if i = space(b, i+1); i == len(b) {
				return bad
			}
			if b[i] == open.end() {
				break
			}
			if c == '{' {
				if i = name(b, i); i < 0 {
					return bad
				}
			}
			continue
		default:
			if i = scalar(b, i); i < 0 {
				return bad
			}
		}
		// And here has it ended, or is about to.
		for {
			if i = space(b, i); i == len(b) {
				return bad
			}
			if b[i] == ',' {
				if i = space(b, i+1); open.inObject() {
					if i = name(b, i); i < 0 {
						return bad
					}
				}
				break
			}
			if b[i] != open.end() {
				return bad
			}
			i++
			if open.pop(); open.n == 0 {
				return i
			}
		}
	}
}

// name skips the name of a member and the colon.
func name(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return bad
	}
	if i = str(b, i); i < 0 {
		return bad
	}
	if i = space(b, i); i == len(b) || b[i] != ':' {
		return bad
	}
	return space(b, i+1)
}

// levels are the arrays and objects that have begun and not ended: a bit for
// each, which is set if it is an object.
type levels struct {
	bits []uint64
	n    int
}

func (l *levels) push(object bool) {
	word, bit := l.n>>6, uint64(1)<<(l.n&63)
	if word == len(l.bits) {
		l.bits = append(l.bits, 0)
	}
	if object {
		l.bits[word] |= bit
	} else {
		l.bits[word] &^= bit
	}
	l.n++
}

func (l *levels) pop() { l.n-- }

func (l *levels) inObject() bool { return l.bits[(l.n-1)>>6]>>((l.n-1)&63)&1 == 1 }

// end is the bracket that ends the innermost level.
func (l *levels) end() byte {
	if l.inObject() {
		return '}'
	}
	return ']'
}
