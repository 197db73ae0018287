package packet

import "slices"

// Members calls yield for each member of a JSON object with its name and the
// text of its value, which shares memory with object. It reports false, perhaps
// after some calls, if object is not one valid object.
func Members(object []byte, yield func(name string, value []byte)) bool {
	var name, buf []byte
	return members(object, func(quoted, value []byte) {
		name, buf = unquote(quoted, buf)
		yield(view(name), value)
	})
}

// Pick is Members for only the members with one of the names; yield gets the
// index of the name. Other members cost little, however many there are and
// however they are spelled. Empty names match nothing, and names must not
// contain characters that JSON escapes.
func Pick(object []byte, names []string, yield func(i int, value []byte)) bool {
	var initials [4]uint64 // one bit for each byte value
	for _, name := range names {
		if name != "" {
			initials[name[0]>>6] |= 1 << (name[0] & 63)
		}
	}
	return members(object, func(quoted, value []byte) {
		c := quoted[1] // the final quote of an empty name
		if c == '\\' {
			if quoted[2] != 'u' || quoted[3] != '0' || quoted[4] != '0' {
				return
			}
			c = byte(hex(quoted[3:7]))
		}
		if initials[c>>6]>>(c&63)&1 == 0 {
			return
		}
		for i, name := range names {
			if isKey(quoted, name) {
				yield(i, value)
				return
			}
		}
	})
}

// members calls yield for each member of an object; names keep their quotes.
func members(object []byte, yield func(quoted, value []byte)) bool {
	s := scanner{b: object, maxDepth: DefaultMaxDepth}
	i := space(object, 0)
	if s.at(i) != '{' {
		return false
	}
	s.depth = 1
	i = space(object, i+1)
	if s.at(i) == '}' {
		return space(object, i+1) == len(object)
	}
	for {
		start := space(object, i)
		if s.at(start) != '"' {
			return false
		}
		end := str(object, start)
		if end < 0 {
			return false
		}
		if i = space(object, end); s.at(i) != ':' {
			return false
		}
		from := space(object, i+1)
		if i = s.value(from); i < 0 {
			return false
		}
		yield(object[start:end], slices.Clip(object[from:i]))
		i = space(object, i)
		switch s.at(i) {
		case ',':
			i++
		case '}':
			return space(object, i+1) == len(object)
		default:
			return false
		}
	}
}
