package packet

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// unquote returns the text of a valid JSON string. Without escapes it shares
// the memory of quoted, otherwise that of buf, after its present content. It
// returns the buf of the next call.
func unquote(quoted, buf []byte) (text, _ []byte) {
	text = quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text, buf
	}
	if cap(buf)-len(buf) < len(text) { // a text is never longer than its quoted form
		buf = make([]byte, 0, max(len(text), min(2*cap(buf), 64<<10)))
	}
	start := len(buf)
	buf = AppendUnquoted(buf, quoted)
	return buf[start:len(buf):len(buf)], buf
}

// AppendUnquoted appends the text of a valid JSON string. Half of a surrogate
// pair becomes U+FFFD.
func AppendUnquoted(dst, quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst, text = unescape(append(dst, text[:i]...), text[i:])
	}
}

// unescape appends the characters of the escapes that text starts with.
func unescape(dst, text []byte) (_, rest []byte) {
	for len(text) > 0 && text[0] == '\\' {
		c := text[1]
		if c != 'u' {
			dst, text = append(dst, unescaped(c)), text[2:]
			continue
		}
		r := hex(text[2:6])
		text = text[6:]
		if utf16.IsSurrogate(r) {
			second := rune(-1)
			if len(text) >= 6 && text[0] == '\\' && text[1] == 'u' {
				second = hex(text[2:6])
			}
			if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
				text = text[6:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, text
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// hex returns the number of four valid hexadecimal digits.
func hex(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		if c <= '9' {
			c -= '0'
		} else {
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
