package recovery

import (
	"crypto/rand"
	"math"
	"strconv"
	"strings"
)

// Position is the place of an event among those of a [Log]. The first event has position
// 1; 0 is before it.
type Position uint64

// always is the end of a stay that has not ended.
const always = Position(math.MaxUint64)

// MaxOffset is the maximum length of an offset, in bytes.
const MaxOffset = prefixLen + 1 + 13

// An offset is the prefix of its log, a dot, and the position to base 36.
const (
	prefixLen = 8
	base      = 36
)

func newPrefix() string { return strings.ToLower(rand.Text()[:prefixLen]) }

// AppendOffset appends the offset of a position.
func (l *Log[V]) AppendOffset(dst []byte, p Position) []byte {
	dst = append(append(dst, l.prefix...), '.')
	return strconv.AppendUint(dst, uint64(p), base)
}

// position returns the position of an offset that a client has sent. ours is false for
// one of another log; ok is false for a text that no log has made.
func (l *Log[V]) position(offset string) (p Position, ours, ok bool) {
	prefix, digits, _ := strings.Cut(offset, ".")
	if len(prefix) != prefixLen || len(offset) > MaxOffset {
		return 0, false, false
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil || strconv.FormatUint(n, base) != digits {
		return 0, false, false
	}
	return Position(n), prefix == l.prefix, true
}
