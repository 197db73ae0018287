package packet

import (
	"fmt"
	"strings"
	"testing"
)

// hostileTexts are packets of about size bytes whose JSON is expensive to check.
func hostileTexts(size int) map[string][]byte {
	repeat := func(format string, until int) string {
		var b strings.Builder
		for i := 0; b.Len() < until; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, format, i%1000)
		}
		return b.String()
	}
	return map[string][]byte{
		"escapedKeys":            []byte(`2["x",{` + repeat(`"\u0061%d":0`, size) + `}]`),
		"escapedPlaceholderKeys": []byte(`2["x",{` + repeat(`"\u005fplaceholde%d":0`, size) + `}]`),
		"keys":                   []byte(`2["x",{` + repeat(`"a%d":0`, size) + `}]`),
		"shortKeys":              []byte(`2["x",{` + strings.Repeat(`"":0,`, size/5) + `"":0}]`),
		"escapes":                []byte(`2["x","` + strings.Repeat(`\u0061`, size/6) + `"]`),
		"shortEscapes":           []byte(`2["x","` + strings.Repeat(`\n`, size/2) + `"]`),
		"numbers":                []byte(`2["x",[` + strings.Repeat("0,", size/2) + `0]]`),
		"objects":                []byte(`2["x",[` + strings.Repeat("{},", size/3) + `0]]`),
		"nested":                 []byte(`2["x",[` + strings.Repeat(strings.Repeat("[", 400)+strings.Repeat("]", 400)+",", size/801) + `0]]`),
		"longText":               []byte(`2["x","` + strings.Repeat("abcdefgh", size/8) + `"]`),
		"spaces":                 []byte(`2["x",` + strings.Repeat(" ", size) + `0]`),
	}
}

func BenchmarkHostileText(b *testing.B) {
	for name, msg := range hostileTexts(950_000) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				var d Decoder
				if _, _, err := d.Text(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The cost of skipping the members of an object of which only one is wanted.
func BenchmarkPick(b *testing.B) {
	for _, name := range []string{"escapedKeys", "escapedPlaceholderKeys", "keys"} {
		msg := hostileTexts(950_000)[name]
		object := msg[len(`2["x",`) : len(msg)-1]
		b.Run(name+"/Members", func(b *testing.B) {
			b.SetBytes(int64(len(object)))
			for b.Loop() {
				Members(object, func(string, []byte) {})
			}
		})
		b.Run(name+"/Pick", func(b *testing.B) {
			b.SetBytes(int64(len(object)))
			for b.Loop() {
				Pick(object, []string{"roomId", "type"}, func(int, []byte) {})
			}
		})
	}
}
