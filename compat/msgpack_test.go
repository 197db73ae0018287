package compat_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// showMsgpacks shows the packets of a polling payload that the msgpack parser wrote as m and their content.
func showMsgpacks(payload string) string {
	packets := strings.Split(payload, "\x1e")
	for i, p := range packets {
		if text, ok := strings.CutPrefix(p, "b"); ok {
			if data, err := base64.StdEncoding.DecodeString(text); err == nil {
				if packet, ok := showMsgpack(data); ok {
					packets[i] = "m" + packet
				}
			}
		}
	}
	return strings.Join(packets, "\x1e")
}

// showMsgpack shows a packet of the msgpack parser. It returns false for all other bytes.
func showMsgpack(data []byte) (string, bool) {
	r := msgpackReader{data: data}
	v := r.value(0)
	packet, ok := v.(msgpackMap)
	if !ok || r.broken || len(r.data) > 0 {
		return "", false
	}
	// The order of a packet's keys is that in which its sender wrote an object: it means nothing.
	order := []string{`"type"`, `"nsp"`, `"id"`, `"data"`}
	slices.SortStableFunc(packet, func(a, b [2]string) int {
		return slices.Index(order, a[0]) - slices.Index(order, b[0])
	})
	has := func(key string) bool {
		return slices.ContainsFunc(packet, func(kv [2]string) bool { return kv[0] == key })
	}
	return packet.String(), has(`"type"`) && has(`"nsp"`)
}

type msgpackMap [][2]string

func (m msgpackMap) String() string {
	var b strings.Builder
	for i, kv := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(kv[0] + ":" + kv[1])
	}
	return "{" + b.String() + "}"
}

// msgpackReader shows msgpack values, in the dialect of notepack.io.
type msgpackReader struct {
	data   []byte
	broken bool
}

func (r *msgpackReader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.broken, r.data = true, nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

// uint reads a big-endian number of n bytes.
func (r *msgpackReader) uint(n int) uint64 {
	var b [8]byte
	copy(b[8-n:], r.take(n))
	return binary.BigEndian.Uint64(b[:])
}

// value returns a msgpackMap, or the text of any other value.
func (r *msgpackReader) value(depth int) any {
	head := r.take(1)
	if depth > 1000 {
		r.broken = true
	}
	if r.broken {
		return ""
	}
	c := head[0]
	switch {
	case c < 0x80:
		return strconv.Itoa(int(c))
	case c < 0x90:
		return r.pairs(int(c&0xf), depth)
	case c < 0xa0:
		return r.list(int(c&0xf), depth)
	case c < 0xc0:
		return r.text(int(c & 0x1f))
	case c >= 0xe0:
		return strconv.Itoa(int(int8(c)))
	}
	switch c {
	case 0xc0:
		return "null"
	case 0xc2:
		return "false"
	case 0xc3:
		return "true"
	case 0xc4, 0xc5, 0xc6:
		return "bin(" + hex.EncodeToString(r.take(int(r.uint(1<<(c-0xc4))))) + ")"
	case 0xc7, 0xc8, 0xc9:
		n := int(r.uint(1 << (c - 0xc7)))
		return r.ext(n)
	case 0xca:
		return float(float64(math.Float32frombits(uint32(r.uint(4)))))
	case 0xcb:
		return float(math.Float64frombits(r.uint(8)))
	case 0xcc, 0xcd, 0xce, 0xcf:
		return strconv.FormatUint(r.uint(1<<(c-0xcc)), 10)
	case 0xd0, 0xd1, 0xd2, 0xd3:
		n := 1 << (c - 0xd0)
		shift := 64 - 8*n
		return strconv.FormatInt(int64(r.uint(n)<<shift)>>shift, 10)
	case 0xd4:
		if kind := r.uint(1); kind == 0 && r.uint(1) == 0 {
			return "undefined"
		}
	case 0xd7:
		if kind := r.uint(1); kind == 0 {
			return fmt.Sprintf("date(%d)", int64(r.uint(8)))
		}
	case 0xd9, 0xda, 0xdb:
		return r.text(int(r.uint(1 << (c - 0xd9))))
	case 0xdc, 0xdd:
		return r.list(int(r.uint(2<<(c-0xdc))), depth)
	case 0xde, 0xdf:
		return r.pairs(int(r.uint(2<<(c-0xde))), depth)
	}
	r.broken = true
	return ""
}

func (r *msgpackReader) ext(n int) string {
	if r.uint(1) != 0 {
		r.broken = true
	}
	return "ext(" + hex.EncodeToString(r.take(n)) + ")"
}

func (r *msgpackReader) text(n int) string {
	b := r.take(n)
	if !utf8.Valid(b) {
		r.broken = true
	}
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(string(b)) + `"`
}

func (r *msgpackReader) list(n, depth int) string {
	var items []string
	for i := 0; i < n && !r.broken; i++ {
		items = append(items, fmt.Sprint(r.value(depth+1)))
	}
	return "[" + strings.Join(items, ",") + "]"
}

func (r *msgpackReader) pairs(n, depth int) msgpackMap {
	m := msgpackMap{}
	for i := 0; i < n && !r.broken; i++ {
		// A key with the value undefined is the same to a client as no key.
		if kv := [2]string{fmt.Sprint(r.value(depth + 1)), fmt.Sprint(r.value(depth + 1))}; kv[1] != "undefined" {
			m = append(m, kv)
		}
	}
	return m
}

// float shows a number with a fraction or an exponent, so that it differs from an integer.
func float(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".eNI") {
		s += ".0"
	}
	return s
}
