package wsframe

import (
	"testing"
	"unicode/utf8"
)

// FuzzParseClose: a status that we take is one that may be sent, and goes round.
func FuzzParseClose(f *testing.F) {
	for _, s := range []string{"", "\x03", "\x03\xe8bye", "\x03\xed", "\x0b\xb8\xff", "\xff\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		code, v := ParseClose(payload)
		if v != nil {
			if v.Code != CloseProtocol && v.Code != CloseNotUTF8 {
				t.Errorf("%q: closed with %d", payload, v.Code)
			}
			return
		}
		if len(payload) > 2 && !utf8.Valid(payload[2:]) || code != CloseNormal && (code < 1000 || code > 4999 || code >= 1004 && code <= 1006 || code == 1015) {
			t.Errorf("%q: accepted with %d", payload, code)
		}
		frame := AppendClose(nil, code)
		if again, v := ParseClose(frame[2:]); v != nil || again != code {
			t.Errorf("%d became %d, %v", code, again, v)
		}
	})
}
