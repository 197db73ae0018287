package packet

import (
	"slices"
	"strconv"
	"unsafe"
)

// AppendPlaceholder appends the placeholder of attachment number n.
func AppendPlaceholder(dst []byte, n int) []byte {
	dst = append(dst, `{"_placeholder":true,"num":`...)
	return append(strconv.AppendInt(dst, int64(n), 10), '}')
}

// Placeholders calls yield for each placeholder in valid JSON, in order, with
// its start and end and its attachment's number, -1 if that is not a number.
// Placeholders inside of another one do not count: the attachment replaces the
// whole object.
func Placeholders(json []byte, yield func(start, end, num int)) {
	var few [8]placeholder
	s := scanner{b: json, collect: true, found: few[:0]}
	for i := space(json, 0); i < len(json); i = space(json, i) { // a value, or a list of values
		if i = s.value(i); i < 0 {
			break
		}
		if i = space(json, i); s.at(i) == ',' {
			i++
		}
	}
	for _, p := range s.found {
		yield(p.start, p.end, p.num)
	}
}

// References returns the number of placeholders in valid JSON that name one of
// the attachments, counting repeated ones. It returns [ErrAttachments] for an
// object that looks like a placeholder but names no attachment, which official
// clients refuse.
func References(json []byte, attachments int) (int, error) {
	s := scanner{b: json, strict: true, attachments: attachments, collect: true}
	if s.value(space(json, 0)) < 0 {
		return 0, s.problem()
	}
	return len(s.found), nil
}

// AppendValue appends a JSON value, or a list of values, whose placeholders
// name attachments. It appends the attachments that out does not have yet to
// out, renumbers the placeholders for it, and returns both. Other text stays
// unchanged.
func AppendValue(dst, json []byte, attachments, out [][]byte) ([]byte, [][]byte) {
	if len(dst)+len(json) > cap(dst) {
		dst = slices.Grow(dst, len(json)+128) // spare room for what often follows
	}
	if len(attachments) == 0 {
		return append(dst, json...), out
	}
	at := 0
	Placeholders(json, func(start, end, num int) {
		if num < 0 || num >= len(attachments) {
			return
		}
		n := index(out, attachments[num])
		if n == len(out) {
			out = append(out, attachments[num])
		}
		dst = AppendPlaceholder(append(dst, json[at:start]...), n)
		at = end
	})
	return append(dst, json[at:]...), out
}

// maxCompared bounds the cost of a placeholder: with more attachments, which
// only a server with a high limit accepts, some may be sent more than once.
const maxCompared = 64

// index returns the index in list of attachment a (the same memory), or
// len(list).
func index(list [][]byte, a []byte) int {
	for i, b := range list[:min(len(list), maxCompared)] {
		if len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b) {
			return i
		}
	}
	return len(list)
}
