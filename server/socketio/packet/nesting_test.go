package packet

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// brackets nests n arrays or objects, which begin with open.
func brackets(open string, n int) string {
	if open == "[" {
		return strings.Repeat("[", n) + strings.Repeat("]", n)
	}
	return strings.Repeat(open, n) + "1" + strings.Repeat("}", n)
}

// A packet that is nested too deeply is well-formed: the decoder returns it with Excess
// set and with nothing but the event's name. The limit holds for each argument and for
// the payload of CONNECT.
func TestMaxDepth(t *testing.T) {
	for _, tc := range []struct {
		text   string
		most   int
		excess error
		data   string // "": unchanged
	}{
		{`2["x",` + brackets("[", 3) + `]`, 3, nil, ""},
		{`2["x",` + brackets("[", 4) + `]`, 3, ErrTooDeep, `["x"]`},
		{`2["x",1,` + brackets(`{"a":`, 3) + `]`, 3, nil, ""},
		{`2/nsp,7[ "x" ,1,` + brackets(`{"a":`, 4) + `]`, 3, ErrTooDeep, `["x"]`},
		{`3[` + brackets("[", 3) + `]`, 3, nil, ""},
		{`37[` + brackets("[", 4) + `]`, 3, ErrTooDeep, `[]`},
		{`0` + brackets(`{"a":`, 3), 3, nil, ""},
		{`0` + brackets(`{"a":`, 4), 3, ErrTooDeep, `none`},
		{`51-["x",[[[` + ph0 + `]]]]`, 3, ErrTooDeep, `["x"]`},
		{`2["x",` + brackets("[", DefaultMaxDepth) + `]`, 0, nil, ""},
		{`2["x",` + brackets("[", DefaultMaxDepth+1) + `]`, 0, ErrTooDeep, `["x"]`},
		{`0` + brackets(`{"a":`, DefaultMaxDepth), 0, nil, ""},
		{`0` + brackets(`{"a":`, DefaultMaxDepth+1), 0, ErrTooDeep, `none`},
		{`2["x",` + brackets("[", 450_000) + `]`, 0, ErrTooDeep, `["x"]`},
		{`2["x",` + brackets(`{"a":`, 150_000) + `]`, 0, ErrTooDeep, `["x"]`},
	} {
		d := Decoder{MaxDepth: tc.most}
		p, complete, err := d.Text([]byte(tc.text))
		if err == nil && !complete {
			p, _, err = d.Binary([]byte("x"))
		}
		if err != nil || p.Excess != tc.excess {
			t.Errorf("%.40q: excess %v, %v, want %v", tc.text, p.Excess, err, tc.excess)
			continue
		}
		switch tc.data {
		case "":
			tc.data = strings.TrimLeft(tc.text[1:], "0123456789")
		case "none":
			tc.data = ""
		}
		if string(p.Data) != tc.data || tc.excess != nil && (p.Arguments != 0 || len(p.Attachments) > 0) {
			t.Errorf("%.40q: %.40s, %d arguments and %d attachments are left", tc.text, p.Data, p.Arguments, len(p.Attachments))
		}
	}
}

// JSON that is nested too deeply is still checked: if it is invalid, the packet is an
// error.
func TestTooDeepAndWrong(t *testing.T) {
	for _, wrong := range []string{
		``, `]`, `,`, `1 2`, `1,`, `"a":1`, `{"a" 1}`, `{"a":1,}`, `{,}`, `{1:2}`, `{"a":1]`, `[1}`, `[1,]`, `[,1]`, `[}`, `{]`, `{"a"`, `{"a":`, `[1`, `[`, `{`, `tru`, `"a`, `{"a\x":1}`, `NaN`,
	} {
		for _, open := range []string{"[", `{"a":`} {
			if wrong == "" && open == "[" {
				continue // the innermost array or object is empty
			}
			end := string(open[0] + 2) // the bracket that ends what open begins
			text := `2["x",` + strings.Repeat(open, 10) + wrong + strings.Repeat(end, 10) + `]`
			d := Decoder{MaxDepth: 3}
			if _, _, err := d.Text([]byte(text)); !errors.Is(err, ErrPayload) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// However deep a placeholder stands, and whatever has come before it, it is found,
// and one that names nothing is refused.
func TestPlaceholdersAtAnyDepth(t *testing.T) {
	in := func(levels int, text string) string {
		return strings.Repeat(`[{"a":`, levels/2) + text + strings.Repeat(`}]`, levels/2)
	}
	for _, levels := range []int{2, 14, 16, 18, 100, 500} {
		for _, before := range []string{`0`, in(400, `0`), in(100, `{"\u005fplaceholder":false}`), in(20, ph0)} {
			list := before + `,` + in(levels, `{"n\u0075m":0,"\u005fplaceholder":true}`) + `,` + in(levels, ph0)
			found := 0
			Placeholders([]byte(`[`+list+`]`), func(start, end, num int) { found++ })
			if want := 2 + strings.Count(before, "true"); found != want {
				t.Errorf("%d levels behind %.30s: %d are found, want %d", levels, before, found, want)
			}
			var d Decoder
			if _, _, err := d.Text([]byte(`51-["x",` + list + `]`)); err != nil {
				t.Errorf("%d levels behind %.30s: %v", levels, before, err)
			}
			d = Decoder{}
			if _, _, err := d.Text([]byte(`51-["x",` + list + `,` + in(levels, `{"_placeholder":true,"num":1}`) + `]`)); !errors.Is(err, ErrAttachments) {
				t.Errorf("%d levels behind %.30s: %v", levels, before, err)
			}
		}
	}
}

func TestTooDeep(t *testing.T) {
	for _, tc := range []struct {
		text string
		most int
		want bool
	}{
		{`[[[]]]`, 3, false}, {`[[[]]]`, 2, true}, {`[[],[[]],{"a":{}}]`, 3, false}, {`[[],[[]],{"a":{"b":1}}]`, 2, true},
		{`"[[[[[["`, 2, false}, {`[],[[]],[[[]]]`, 2, true}, {` [] , [[]] , "[[[[[[[[[[" `, 2, false}, {`1`, 0, false}, {``, 0, false}, {`[]`, 1, false},
		{`[[[`, 2, false}, {`[[[}]]`, 2, false}, {`not JSON [[[[[[[[`, 2, false}, {brackets("[", 300_000), 299_999, true}, {brackets("[", 300_000), 300_000, false},
	} {
		if got := TooDeep([]byte(tc.text), tc.most); got != tc.want {
			t.Errorf("%.40q, %d levels: %v", tc.text, tc.most, got)
		}
	}
}

// A message of nothing but brackets costs little memory, and time in proportion to its
// length: milliseconds for a megabyte. In quadratic time it would take many minutes, so
// the bound of this test holds on slow machines too.
func TestBracketsAreLinear(t *testing.T) {
	for _, unit := range []string{"[", `{"a":`, `[[],`, `{"a":[],"b":`} {
		text := []byte(`2["x",` + strings.Repeat(unit, 1_000_000/len(unit)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, _, err := new(Decoder).Text(text)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrPayload) {
			t.Errorf("%s: %v", unit, err)
		}
		if took > 30*time.Second {
			t.Errorf("%s: %v for a megabyte", unit, took)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1_000_000 {
			t.Errorf("%s: %d bytes were allocated", unit, grown)
		}
	}
}
