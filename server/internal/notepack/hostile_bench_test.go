package notepack

import (
	"fmt"
	"strings"
	"testing"
)

// hostileTexts are texts of about 1 MB that are expensive to encode.
func hostileTexts() map[string]string {
	const size = 950_000
	var keys strings.Builder
	for i := 0; keys.Len() < size; i++ {
		fmt.Fprintf(&keys, `"\u0061%d":0,`, i%1000)
	}
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	around := func(open string) string { // a text within 400 levels, whose headers come before it
		return strings.Repeat(open, 400) + `"` + repeat("x") + `"` + strings.Repeat("]", 400)
	}
	return map[string]string{
		"keys":     "{" + keys.String() + `"a":0}`,
		"numbers":  "[" + repeat("0,") + "0]",
		"floats":   "[" + repeat("1e9,") + "0]",
		"objects":  "[" + repeat("{},") + "0]",
		"nested":   "[" + repeat(strings.Repeat("[", 400)+strings.Repeat("]", 400)+",") + "0]",
		"deep":     around("["),
		"deepWide": around("[" + strings.Repeat("0,", 16)),
		"escapes":  `"` + repeat(`\u0061`) + `"`,
	}
}

func BenchmarkHostileEncode(b *testing.B) {
	for name, text := range hostileTexts() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := AppendJSON(nil, []byte(text), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
