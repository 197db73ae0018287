package compat_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxShownBody is the size in bytes above which a transcript shows a body's hash instead.
const maxShownBody = 4096

var (
	sessionID  = regexp.MustCompile(`"(sid|pid)\\?":\\?"([A-Za-z0-9_-]{20})\\?"`)
	lastOffset = regexp.MustCompile(`,"([A-Za-z0-9_-]{7}(?:\.\d+)?)"\](?:\\x1e|$)`) // of Node
	captureRef = regexp.MustCompile(`\{(sid|pid|offset)\d*\}`)
	repeatRef  = regexp.MustCompile(`\{(?:([^"\\])|\(([^()]*)\))\*(\d+)\}`)
	escapeRef  = regexp.MustCompile(`\\x[0-9a-f]{2}`)
)

// show renders text for a transcript: it shortens runs of one character, and escapes control bytes and invalid UTF-8.
func show(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		run := 1
		for strings.HasPrefix(s[i+run*size:], s[i:i+size]) {
			run++
		}
		switch {
		case r < ' ' || r == 0x7f || r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
			run = 1
		case run >= 32 && r != '"' && r != '\\':
			fmt.Fprintf(&b, "{%c*%d}", r, run)
		default:
			b.WriteString(s[i : i+size])
			run = 1
		}
		i += run * size
	}
	return b.String()
}

// showBody is show, or a hash if the result is longer than maxShownBody.
func showBody(s string) string {
	if shown := show(s); len(shown) <= maxShownBody {
		return shown
	}
	return fmt.Sprintf("{sha256 %x, %d bytes}", sha256.Sum256([]byte(s)), len(s))
}

// showBytes renders bytes for a transcript in hexadecimal, and text of three characters or more in quotes.
func showBytes(data []byte) string {
	var parts []string
	for len(data) > 0 {
		n, runes := 0, 0
		for n < len(data) {
			r, size := utf8.DecodeRune(data[n:])
			if r < ' ' || r == '\'' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError && size == 1 {
				break
			}
			n += size
			runes++
		}
		if runes >= 3 {
			parts = append(parts, "'"+string(data[:n])+"'")
		} else {
			n = max(n, 1)
			parts = append(parts, fmt.Sprintf("% x", data[:n]))
		}
		data = data[n:]
	}
	return strings.Join(parts, " ")
}

// parseBytes is the inverse of showBytes.
func parseBytes(text string) ([]byte, error) {
	var data []byte
	for i, part := range strings.Split(text, "'") {
		if i%2 == 1 {
			data = append(data, part...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			return nil, err
		}
		data = append(data, b...)
	}
	return data, nil
}

// captures are the session ids, secrets and offsets of one replay, by their names in the transcript.
type captures map[string]string

// shapes are those of what is captured, by the first part of the name.
var shapes = map[string]string{"sid": `([A-Za-z0-9_-]{20})`, "pid": `([A-Za-z0-9_-]{20})`, "offset": `([A-Za-z0-9_.-]{7,22})`}

// expand converts a transcript's text to the bytes that are sent.
func (c captures) expand(s string) (string, error) {
	var missing error
	s = captureRef.ReplaceAllStringFunc(s, func(name string) string {
		if c[name] == "" {
			missing = fmt.Errorf("%s was never captured", name)
		}
		return c[name]
	})
	s = repeatRef.ReplaceAllStringFunc(s, func(ref string) string {
		m := repeatRef.FindStringSubmatch(ref)
		n, _ := strconv.Atoi(m[3])
		return strings.Repeat(m[1]+m[2], n)
	})
	s = escapeRef.ReplaceAllStringFunc(s, func(ref string) string {
		b, _ := strconv.ParseUint(ref[2:], 16, 8)
		return string([]byte{byte(b)})
	})
	return s, missing
}

// matches reports whether got is the expected answer; if so, it stores the ids that the answer captures.
func (c captures) matches(want, got answer) bool {
	if len(want) != len(got) {
		return false
	}
	next := maps.Clone(c)
	for i := range want {
		if !next.matchLine(want[i], got[i]) {
			return false
		}
	}
	for name, id := range next {
		for other, same := range next {
			if name != other && id == same {
				return false // two sessions have one id
			}
		}
	}
	maps.Copy(c, next)
	return true
}

func (c captures) matchLine(want, got string) bool {
	var pattern strings.Builder
	var names []string
	rest := want
	for loc := captureRef.FindStringSubmatchIndex(rest); loc != nil; loc = captureRef.FindStringSubmatchIndex(rest) {
		pattern.WriteString(regexp.QuoteMeta(rest[:loc[0]]))
		if id := c[rest[loc[0]:loc[1]]]; id != "" {
			pattern.WriteString(regexp.QuoteMeta(id))
		} else {
			pattern.WriteString(shapes[rest[loc[2]:loc[3]]])
			names = append(names, rest[loc[0]:loc[1]])
		}
		rest = rest[loc[1]:]
	}
	pattern.WriteString(regexp.QuoteMeta(rest))
	m := regexp.MustCompile(`^` + pattern.String() + `$`).FindStringSubmatch(got)
	if m == nil {
		return false
	}
	for i, name := range names {
		if old := c[name]; old != "" && old != m[i+1] {
			return false
		}
		c[name] = m[i+1]
	}
	return true
}

// record names the new ids in got, and with recovery the new offsets, and returns it with everything known replaced by its name.
func (c captures) record(got answer, recovery bool) answer {
	for _, line := range got {
		for _, m := range sessionID.FindAllStringSubmatch(line, -1) {
			c.name(m[1], m[2])
		}
		if recovery {
			for _, m := range lastOffset.FindAllStringSubmatch(line, -1) {
				c.name("offset", m[1])
			}
		}
	}
	named := slices.Clone(got)
	names := slices.SortedFunc(maps.Keys(c), func(a, b string) int { return len(c[b]) - len(c[a]) }) // an offset may begin with another
	for i := range named {
		for _, name := range names {
			named[i] = strings.ReplaceAll(named[i], c[name], name)
		}
	}
	return named
}

// name gives a value of a kind the next name, if it has none.
func (c captures) name(kind, value string) {
	n := 1
	for name, old := range c {
		if old == value {
			return
		}
		if strings.HasPrefix(name, "{"+kind) {
			n++
		}
	}
	if n > 1 {
		kind += strconv.Itoa(n)
	}
	c["{"+kind+"}"] = value
}
