package packet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// list is the JSON of n placeholders of attachment 0, with commas between.
func list(n int) string { return strings.TrimSuffix(strings.Repeat(ph0+",", n), ",") }

// A packet whose placeholders, counted one by one, exceed a limit is well-formed: the
// decoder returns it with Excess set and with nothing but the event's name.
func TestReferences(t *testing.T) {
	kb := make([]byte, 1000)
	for _, tc := range []struct {
		text        string
		attachments [][]byte
		excess      error
		data        string // "": unchanged
	}{
		{`51-["x",` + list(10) + `]`, [][]byte{{1}}, nil, ""},
		{`51-["x",` + list(11) + `]`, [][]byte{{1}}, ErrReferences, `["x"]`},
		{`51-7[ "\u0078" ,[` + list(30_000) + `]]`, [][]byte{kb}, ErrReferences, `["\u0078"]`},
		{`51-[ -1.5 ,[` + list(11) + `]]`, [][]byte{{1}}, ErrReferences, `[-1.5]`},
		{`61-3[` + list(10) + `]`, [][]byte{{1}}, nil, ""},
		{`61-3[` + list(11) + `]`, [][]byte{{1}}, ErrReferences, `[]`},
		{`52-["x",` + list(5) + `,[` + strings.ReplaceAll(list(5), ":0", ":1") + `]]`, [][]byte{{1}, {2}}, nil, ""},
		{`52-["x",` + list(5) + `,[` + strings.ReplaceAll(list(6), ":0", ":1") + `]]`, [][]byte{{1}, {2}}, ErrReferences, `["x"]`},
		// A placeholder inside another does not count: the attachment replaces the
		// outer object.
		{`51-["x",` + list(9) + `,{"_placeholder":true,"num":0,"x":[` + list(9) + `]}]`, [][]byte{{1}}, nil, ""},
		// Bytes count at each placeholder, those of other attachments do not.
		{`51-["x",` + list(3) + `]`, [][]byte{kb}, nil, ""},
		{`51-["x",` + list(4) + `]`, [][]byte{kb}, ErrAttachmentBytes, `["x"]`},
		{`51-["x",` + list(4) + `]`, [][]byte{kb[:750]}, nil, ""},
		{`51-["x",` + list(4) + `]`, [][]byte{kb[:751]}, ErrAttachmentBytes, `["x"]`},
		{`61-1[` + list(4) + `]`, [][]byte{kb}, ErrAttachmentBytes, `[]`},
		{`53-["x",{"_placeholder":true,"num":2},` + ph0 + `]`, [][]byte{kb, make([]byte, 9999), kb}, nil, ""},
		{`52-["x",{"_placeholder":true,"num":1},` + ph0 + `]`, [][]byte{kb, append(kb, kb...)}, nil, ""},
		{`52-["x",{"_placeholder":true,"num":1},` + ph0 + `]`, [][]byte{kb, append(kb, make([]byte, 1001)...)}, ErrAttachmentBytes, `["x"]`},
	} {
		d := Decoder{MaxAttachmentBytes: 3000}
		p, complete, err := d.Text([]byte(tc.text))
		for i, a := range tc.attachments {
			if complete || err != nil {
				t.Fatalf("%.40q: complete after %d attachments (%v)", tc.text, i, err)
			}
			p, complete, err = d.Binary(a)
		}
		if !complete || err != nil || p.Excess != tc.excess {
			t.Errorf("%.40q: complete %v, excess %v, %v, want %v", tc.text, complete, p.Excess, err, tc.excess)
			continue
		}
		if tc.data == "" {
			tc.data = strings.TrimLeft(tc.text[3:], "0123456789")
		}
		if string(p.Data) != tc.data {
			t.Errorf("%.40q: data %.60s", tc.text, p.Data)
		}
		if tc.excess != nil && (p.Attachments != nil || p.Arguments != 0) {
			t.Errorf("%.40q: %d arguments, %d attachments are left", tc.text, p.Arguments, len(p.Attachments))
		}
		if again, complete, err := d.Text([]byte(`2["next"]`)); !complete || err != nil || again.Excess != nil {
			t.Errorf("%.40q: the next packet: %+v, %v", tc.text, again, err)
		}
	}
}

// An attachment that no placeholder names is not kept while the others are awaited.
func TestAttachmentsKept(t *testing.T) {
	kb := make([]byte, 1000)
	kept := func(d *Decoder) (n int) {
		for _, a := range d.pending.packet.Attachments {
			n += cap(a)
		}
		return n
	}
	for text, want := range map[string]int{
		`59-["x"]`:                   0,    // named by nothing
		`59-["x",` + list(1) + `]`:   1000, // the first
		`59-["x",` + list(2) + `]`:   1000, // the first, which counts twice
		`59-["x",` + list(3) + `]`:   0,    // too many bytes
		`59-["x",` + list(100) + `]`: 0,    // too many placeholders
	} {
		d := Decoder{MaxAttachmentBytes: 2500}
		if _, _, err := d.Text([]byte(text)); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			if _, complete, err := d.Binary(kb); complete || err != nil {
				t.Fatal(complete, err)
			}
		}
		if got := kept(&d); got != want {
			t.Errorf("%.40q: %d bytes are kept, want %d", text, got, want)
		}
	}
}

func TestMaxArguments(t *testing.T) {
	zeros := func(n int) string { return strings.TrimSuffix(strings.Repeat("0,", n), ",") }
	for _, tc := range []struct {
		text   string
		most   int
		excess error
	}{
		{`2["x",` + zeros(1000) + `]`, 0, nil},
		{`2["x",` + zeros(1001) + `]`, 0, ErrTooManyArguments},
		{`2["x",[` + zeros(1001) + `],{"a":[` + zeros(1001) + `]}]`, 0, nil},
		{`3[` + zeros(1000) + `]`, 0, nil},
		{`3[` + zeros(1001) + `]`, 0, ErrTooManyArguments},
		{`2["x",` + zeros(3) + `]`, 3, nil},
		{`2["x",` + zeros(4) + `]`, 3, ErrTooManyArguments},
		{`2["x",` + zeros(100_000) + `]`, -1, nil},
		{`51-["x",` + zeros(3) + `,` + ph0 + `]`, 3, ErrTooManyArguments},
	} {
		d := Decoder{MaxArguments: tc.most}
		p, complete, err := d.Text([]byte(tc.text))
		if err == nil && !complete {
			p, _, err = d.Binary([]byte("x"))
		}
		if err != nil || p.Excess != tc.excess {
			t.Errorf("%.40q: excess %v, %v, want %v", tc.text, p.Excess, err, tc.excess)
		}
		if tc.excess != nil {
			if p.Arguments != 0 || len(p.Data) > 5 || len(p.Attachments) > 0 {
				t.Errorf("%.40q: %d arguments, %s and %d attachments are left", tc.text, p.Arguments, p.Data, len(p.Attachments))
			}
			continue
		}
		want := len(Elements(p.Data[1 : len(p.Data)-1]))
		if p.Type == Event {
			want--
		}
		if p.Arguments != want {
			t.Errorf("%.40q: %d arguments, want %d", tc.text, p.Arguments, want)
		}
	}
	// Invalid JSON is an error, not a packet with too many arguments.
	if _, _, err := new(Decoder).Text([]byte(`2["x",` + zeros(1001) + `,not JSON`)); !errors.Is(err, ErrPayload) {
		t.Errorf("not JSON: %v", err)
	}
}

// Names of a placeholder that are spelled with escapes, and names that are not
// its own.
func TestPlaceholderNames(t *testing.T) {
	for text, want := range map[string]string{
		`{"\u005fplaceholder":true,"n\u0075m":0}`: "[0]",
		`{"\u005F\u0070\u006C\u0061\u0063\u0065\u0068\u006f\u006c\u0064\u0065\u0072":true,"\u006E\u0075\u006d":1}`: "[1]",
		`{"_placeholder":true,"num":1}`:                                   "[1]",
		`{"_placeholder" : true , "num" : 1 }`:                            "[1]",
		`{"_placeholder":true}`:                                           "[-1]",
		`{"_placeholder":true,"num":0,"num":1}`:                           "[1]",
		`{"_placeholder":true,"num":0,"\u006eum":"0"}`:                    "[-1]",
		`{"_placeholder":true,"num":0,"num":-1}`:                          "[-1]",
		`{"_placeholder":true,"num":-1,"num":0}`:                          "[0]",
		`{"num":0,"_placeholder":false,"_placeholder":true}`:              "[0]",
		`{"num":0,"_placeholder":true,"\u005fplaceholder":false}`:         "[]",
		`{"num":0,"_placeholder":true,"_placeholder":1}`:                  "[]",
		`{"num":0,"_placeholder":"true"}`:                                 "[]",
		`{"num":0,"_placeholdeR":true}`:                                   "[]",
		`{"num":0,"_placeholder\n":true}`:                                 "[]",
		`{"num":0,"\u015fplaceholder":true}`:                              "[]",
		`{"num":0,"\u005fplaceholde":true}`:                               "[]",
		`{"num":0,"\\u005fplaceholder":true}`:                             "[]",
		`{"num":0,"\/placeholder ":true}`:                                 "[]",
		`{"\u0000num":0,"_placeholder":true,"nu\u006d\u006d":1}`:          "[-1]",
		`[{"_placeholder":true,"num":3},[{"_placeholder":true,"num":2}]]`: "[3 2]",
	} {
		got := []int{}
		Placeholders([]byte(text), func(_, _, num int) { got = append(got, num) })
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}

// An attachment is sent once, however many placeholders in however many arguments name it.
func TestAppendValueOnce(t *testing.T) {
	all := [][]byte{[]byte("same"), []byte("same"), {}, []byte("more")}
	dst, out := AppendValue(nil, []byte(`[`+list(3)+`]`), all, [][]byte{[]byte("other")})
	dst, out = AppendValue(dst, []byte(`[{"num":3,"_placeholder":true},`+list(2)+`]`), all, out)
	dst, out = AppendValue(dst, []byte(strings.ReplaceAll(list(2), ":0", ":1")), all, out)
	ph1, ph2, ph3 := strings.ReplaceAll(ph0, ":0", ":1"), strings.ReplaceAll(ph0, ":0", ":2"), strings.ReplaceAll(ph0, ":0", ":3")
	if want := `[` + ph1 + `,` + ph1 + `,` + ph1 + `][` + ph2 + `,` + ph1 + `,` + ph1 + `]` + ph3 + `,` + ph3; string(dst) != want {
		t.Errorf("got %s", dst)
	}
	if want := [][]byte{[]byte("other"), []byte("same"), []byte("more"), []byte("same")}; !reflect.DeepEqual(out, want) {
		t.Errorf("attachments %q", out)
	}
}

func TestCountReferences(t *testing.T) {
	for text, want := range map[string]int{`["x"]`: 0, `["x",` + ph0 + `,[` + list(20) + `]]`: 21, `["x",{"_placeholder":true,"num":1}]`: -1, `["x",{"_placeholder":true}]`: -1} {
		n, err := References([]byte(text), 1)
		if err == nil && n != want || err != nil && (want >= 0 || !errors.Is(err, ErrAttachments)) {
			t.Errorf("%.60s: %d, %v", text, n, err)
		}
	}
}

func TestMembersNames(t *testing.T) {
	text := `{ "a\u0062" : 1 ,"\ud83d\ude00\ud800\n":[2],"plain":{"x":"}"}, "\"\\\/\b\f\r\t\u00e9" :"" }`
	var names []string
	if !Members([]byte(text), func(name string, value []byte) { names = append(names, name, string(value)) }) {
		t.Fatal("refused")
	}
	// The names are compared after the last call: each keeps its memory.
	want := []string{"ab", "1", "😀\ufffd\n", "[2]", "plain", `{"x":"}"}`, "\"\\/\b\f\r\té", `""`}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	for _, bad := range []string{`{`, `{"a"}`, `{"a":1,}`, `{"a":1]`, `[]`, `{"a":1}x`, `{,}`, `{"a\x":1}`} {
		if Members([]byte(bad), func(string, []byte) {}) {
			t.Errorf("%s is taken", bad)
		}
	}
	if got := bytes.Repeat([]byte("x"), 3); !bytes.Equal(Trim([]byte(" \t\r\nxxx\n ")), got) {
		t.Error("not trimmed")
	}
}

// Packets are decoded before any rate limit, so decoding must be cheap: it allocates
// nothing but the packet, and takes about as long as encoding/json takes to check it,
// or less. The bounds leave room for a busy machine.
func TestHostileTexts(t *testing.T) {
	for name, msg := range hostileTexts(100_000) {
		decode := func() {
			if _, _, err := new(Decoder).Text(msg); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(1, decode); n > 10 {
			t.Errorf("%s: %v allocations", name, n)
		}
		least := func(f func()) time.Duration {
			best := time.Hour
			for range 5 {
				start := time.Now()
				f()
				best = min(best, time.Since(start))
			}
			return best
		}
		ours, theirs := least(decode), least(func() { json.Valid(msg[1:]) })
		if ours > 5*theirs {
			t.Errorf("%s: %v, and encoding/json takes %v", name, ours, theirs)
		}
	}
}
