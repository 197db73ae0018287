package packet

import (
	"slices"
	"strconv"
)

// AppendPlaceholder appends the object that stands for attachment number n.
func AppendPlaceholder(dst []byte, n int) []byte {
	dst = append(dst, `{"_placeholder":true,"num":`...)
	return append(strconv.AppendInt(dst, int64(n), 10), '}')
}

// Placeholders calls yield for each placeholder in valid JSON: where it starts
// and ends and which attachment it names, -1 where that is no number.
func Placeholders(json []byte, yield func(start, end, num int)) {
	s := scanner{b: json, found: yield}
	for s.space(); s.i < len(json); s.space() { // a value, or a list of values
		if s.value() != nil {
			return
		}
		s.space()
		if s.peek() == ',' {
			s.i++
		}
	}
}

// AppendValue appends a JSON value (or list of values) whose placeholders name
// attachments, numbered anew so that they name the same attachments at the end
// of out, and returns both. Text around the placeholders stays as it is.
func AppendValue(dst, json []byte, attachments, out [][]byte) ([]byte, [][]byte) {
	if len(dst)+len(json) > cap(dst) {
		dst = slices.Grow(dst, len(json)+128) // with room for the little that often follows
	}
	if len(attachments) == 0 {
		return append(dst, json...), out
	}
	at := 0
	Placeholders(json, func(start, end, num int) {
		if num < 0 || num >= len(attachments) {
			return
		}
		dst = AppendPlaceholder(append(dst, json[at:start]...), len(out))
		out = append(out, attachments[num])
		at = end
	})
	return append(dst, json[at:]...), out
}
