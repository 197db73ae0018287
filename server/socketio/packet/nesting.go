package packet

import "bytes"

// DefaultMaxDepth is the default limit of nested arrays and objects in an
// argument. Node has no such limit; its process ends when it encodes a value
// that is nested some thousand levels deep.
const DefaultMaxDepth = 512

// TooDeep reports whether arrays and objects in a JSON value, or a
// comma-separated list of values, are nested more than most levels deep. For
// invalid JSON it returns false.
func TooDeep(json []byte, most int) bool {
	if len(json) <= 2*most || bytes.Count(json, []byte{'['})+bytes.Count(json, []byte{'{'}) <= most {
		return false // the common case, far cheaper than a scan
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

// shallow is how many levels the scanner recurses before it skims: processors
// predict only few nested returns, and each further call costs several times as
// much as its two brackets do otherwise.
const shallow = 16

// skim checks the entered array or object that begins at i, without recursion.
// It reports false if its content must be searched, because it may have a
// placeholder; then everything after it is searched too, so that nothing is
// checked three times.
func (s *scanner) skim(i int) (end int, done bool) {
	end = s.open.walk(s.b, i)
	if end >= 0 && s.open.marked && (s.strict || s.collect) {
		s.thorough = true
		return 0, false
	}
	if s.maxDepth > 0 && s.depth-1+s.open.most > s.maxDepth {
		s.exceed(ErrTooDeep)
	}
	s.depth--
	return end, true
}

// below is skim for values nested too deeply to be searched.
func (s *scanner) below(i int) int { return s.open.walk(s.b, i) }

// levels are the open arrays and objects: one bit for each, set for an object.
// So a message of only brackets costs one bit for each.
type levels struct {
	bits    []uint64
	n, most int
	marked  bool // an object has a member with the name that makes a placeholder
}

// walk checks the array or object that begins at b[i] and returns the index
// after it, or bad. It reuses the memory of the levels.
func (l *levels) walk(b []byte, i int) int {
	if l.bits == nil {
		l.bits = make([]uint64, 0, 16)
	}
	*l = levels{bits: l.bits[:0]}
	for {
		// A value begins here.
		if i >= len(b) {
			return bad
		}
		switch c := b[i]; c {
		case '[', '{':
			l.push(c == '{')
			if i = space(b, i+1); i == len(b) {
				return bad
			}
			if b[i] == l.end() {
				break
			}
			if c == '{' {
				if i = l.name(b, i); i < 0 {
					return bad
				}
			}
			continue
		default:
			if i = scalar(b, i); i < 0 {
				return bad
			}
		}
		// The value has ended; so may have arrays and objects around it.
		for {
			if i = space(b, i); i == len(b) {
				return bad
			}
			if b[i] == ',' {
				if i = space(b, i+1); l.inObject() {
					if i = l.name(b, i); i < 0 {
						return bad
					}
				}
				break
			}
			if b[i] != l.end() {
				return bad
			}
			i++
			if l.n--; l.n == 0 {
				return i
			}
		}
	}
}

// name skips the name of a member and the colon.
func (l *levels) name(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return bad
	}
	end := str(b, i)
	if end < 0 {
		return bad
	}
	l.marked = l.marked || isKey(b[i:end], "_placeholder")
	if i = space(b, end); i == len(b) || b[i] != ':' {
		return bad
	}
	return space(b, i+1)
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
	l.most = max(l.most, l.n)
}

func (l *levels) inObject() bool { return l.bits[(l.n-1)>>6]>>((l.n-1)&63)&1 == 1 }

// end returns the bracket that closes the innermost level.
func (l *levels) end() byte {
	if l.inObject() {
		return '}'
	}
	return ']'
}
