package packet

import (
	"slices"
	"strconv"
	"unsafe"
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

// References counts the placeholders in valid JSON that name one of a number of
// attachments, each as often as it is named. It returns [ErrAttachments] for an
// object that passes for a placeholder and names none, which official clients
// refuse.
func References(json []byte, attachments int) (int, error) {
	s := scanner{b: json, strict: true, attachments: attachments, collect: true}
	if s.value(space(json, 0)) < 0 {
		return 0, s.problem()
	}
	return len(s.found), nil
}

// AppendValue appends a JSON value (or list of values) whose placeholders name
// attachments, numbered so that they name the same attachments in out, to which
// those are appended that it does not have yet, and returns both. Text around the
// placeholders stays as it is.
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
		n := index(out, attachments[num])
		if n == len(out) {
			out = append(out, attachments[num])
		}
		dst = AppendPlaceholder(append(dst, json[at:start]...), n)
		at = end
	})
	return append(dst, json[at:]...), out
}

// maxCompared bounds what a placeholder costs: of more attachments, which only
// a server with a high limit takes, some may go out more than once.
const maxCompared = 64

// index returns which of list is the attachment a, the same bytes in memory, or
// the length of list.
func index(list [][]byte, a []byte) int {
	for i, b := range list[:min(len(list), maxCompared)] {
		if len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b) {
			return i
		}
	}
	return len(list)
}
