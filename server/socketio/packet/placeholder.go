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

// Placeholders calls yield for each placeholder in valid JSON, in order: where
// it starts and ends and which attachment it names, -1 where that is no number.
// What stands inside another placeholder is none: the attachment takes the place
// of the whole.
func Placeholders(json []byte, yield func(start, end, num int)) {
	type placeholder struct{ start, end, num int }
	var few [8]placeholder
	found := few[:0]
	s := scanner{b: json, found: func(start, end, num int) {
		for len(found) > 0 && found[len(found)-1].start > start { // inside this one, which is told of last
			found = found[:len(found)-1]
		}
		found = append(found, placeholder{start, end, num})
	}}
	for s.space(); s.i < len(json); s.space() { // a value, or a list of values
		if s.value() != nil {
			break
		}
		s.space()
		if s.peek() == ',' {
			s.i++
		}
	}
	for _, p := range found {
		yield(p.start, p.end, p.num)
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
