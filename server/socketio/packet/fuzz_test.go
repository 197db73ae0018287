package packet

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzReassembly plays messages to one decoder: input is cut at 0xff, and what
// begins with 'b' is binary. What comes out complete has exactly the attachments
// that it announced, those that came, in order; it goes round through
// AppendText; and never more than the limit is kept.
func FuzzReassembly(f *testing.F) {
	for _, s := range []string{
		"51-[\"a\"," + ph0 + "]\xffbxyz\xff2[\"next\"]", "61-/x,3[" + ph0 + "]\xffb", "51-[\"a\"," + ph0 + "]\xff2[\"b\"]", "bxyz",
		`52-["a",{"num":1,"_placeholder":true},` + ph0 + "]\xffb1\xffb2\xffb3", "50-[\"a\"]\xffb1", "0\xff1\xff3[]",
		"51-[\"a\",[" + list(11) + "]]\xffbx\xff2[\"next\"]", "52-[\"a\"," + ph0 + "," + ph0 + "]\xffb12345\xffb1\xff2[\"next\"]", "53-[\"a\",{\"_placeholder\":true,\"num\":1}]\xffb1\xffb2\xffb3",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 8
		d := Decoder{MaxAttachmentBytes: most}
		var fed [][]byte // since the packet that is pending
		for _, m := range bytes.Split(in, []byte{0xff}) {
			var p Packet
			var complete bool
			var err error
			if len(m) > 0 && m[0] == 'b' {
				fed = append(fed, bytes.Clone(m[1:]))
				p, complete, err = d.Binary(m[1:])
			} else {
				p, complete, err = d.Text(m)
			}
			if err != nil {
				return
			}
			if d.Pending() == complete {
				t.Fatalf("%q: complete %v, pending %v", in, complete, d.Pending())
			}
			if d.pending != nil && (d.pending.want > DefaultMaxAttachments || len(d.pending.packet.Attachments) >= d.pending.want) {
				t.Fatalf("%q: %d of %d attachments are kept", in, len(d.pending.packet.Attachments), d.pending.want)
			}
			clear(m) // what has been decoded shares nothing with what was read
			if !complete {
				continue
			}
			named := make([]int, len(fed))
			places := 0
			Placeholders(p.Data, func(_, _, num int) { named[num]++; places++ })
			if p.Excess != nil {
				if p.Attachments != nil || places > 0 {
					t.Fatalf("%q: of a packet to refuse %q with %q is left", in, p.Data, p.Attachments)
				}
				fed = nil
				continue
			}
			bytes := 0
			for i, n := range named {
				bytes += n * len(fed[i])
				if n == 0 {
					fed[i] = nil // is not kept
				}
			}
			if len(fed) != len(p.Attachments) || len(fed) > 0 && !reflect.DeepEqual(fed, p.Attachments) {
				t.Fatalf("%q: fed %q, got %q", in, fed, p.Attachments)
			}
			if places > DefaultMaxAttachments || bytes > most {
				t.Fatalf("%q: %d places and %d bytes are let through", in, places, bytes)
			}
			fed = nil
			var d2 Decoder
			again, complete, err := d2.Text(AppendText(nil, &p))
			for _, a := range p.Attachments {
				again, complete, err = d2.Binary(a)
			}
			if err != nil || !complete || !reflect.DeepEqual(again, p) {
				t.Fatalf("%q: %+v became %+v, %v", in, p, again, err)
			}
		}
	})
}

// FuzzElements compares the name and the arguments of an event with those that
// encoding/json reads.
func FuzzElements(f *testing.F) {
	for _, s := range []string{`["a",1]`, ` [ "a" , [ "b" , {} ] , null ] `, `[1.5e3]`, `["a\n\u20ac","]"]`, `["\ud800",{"a":"}"}]`, `[]`, `["x",[[],[[]]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want []json.RawMessage
		if !utf8.Valid(data) || json.Unmarshal(data, &want) != nil || want == nil {
			return // what reaches these functions is a valid list; engineio has seen to the UTF-8
		}
		name, args, err := Name(data)
		if err != nil {
			if len(want) > 0 && (want[0][0] == '"' || want[0][0] == '-' || '0' <= want[0][0] && want[0][0] <= '9') {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		var text string
		if want[0][0] != '"' {
			text = string(want[0])
		} else if err := json.Unmarshal(want[0], &text); err != nil {
			t.Fatal(err)
		}
		if name != text {
			t.Errorf("%q: name %q, want %q", data, name, text)
		}
		got := Elements(args)
		if len(got) != len(want)-1 {
			t.Fatalf("%q: %d arguments, want %d", data, len(got), len(want)-1)
		}
		for i, e := range got {
			if !bytes.Equal(e, want[i+1]) {
				t.Errorf("%q: argument %d is %q, want %q", data, i, e, want[i+1])
			}
		}
		for i := range len(got) + 1 {
			if one, ok := Element(args, i); ok != (i < len(got)) || ok && !bytes.Equal(one, got[i]) {
				t.Errorf("%q: element %d is %q, %v", data, i, one, ok)
			}
		}
		if len(got) == 1 && !bytes.Equal(Trim(args), got[0]) {
			t.Errorf("%q: trimmed to %q", data, Trim(args))
		}
	})
}

// FuzzAppendValue: renumbered placeholders name the same attachments, and the text around
// them is unchanged.
func FuzzAppendValue(f *testing.F) {
	for _, s := range []string{ph0, `[1,` + ph0 + `,{"num":1,"_placeholder":true}]`, `{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":1}}`, `{"\u005fplaceholder":true,"num":1}`, `{"_placeholder":false,"num":1}`, `{"_placeholder":true,"num":7}`} {
		f.Add([]byte(s))
	}
	attachments := [][]byte{[]byte("zero"), []byte("one")}
	f.Fuzz(func(t *testing.T, text []byte) {
		if s := (scanner{b: text}); s.document() != nil {
			return
		}
		// outline is what AppendValue must keep: the text, with names for numbers.
		outline := func(text []byte, attachments [][]byte) string {
			var out []byte
			at := 0
			Placeholders(text, func(start, end, num int) {
				if start < at {
					t.Fatalf("%q: a placeholder at %d, within one that ends at %d", text, start, at)
				}
				if num >= 0 && num < len(attachments) {
					out = append(append(append(out, text[at:start]...), '@'), attachments[num]...)
					at = end
				}
			})
			return string(append(out, text[at:]...))
		}
		out, kept := AppendValue([]byte("["), text, attachments, [][]byte{[]byte("before"), []byte("too")})
		if !json.Valid(out[1:]) {
			t.Fatalf("%q became %q", text, out)
		}
		// Placeholders that name nothing keep their number, which may name
		// something now.
		if outline(text, attachments) != outline(out[1:], kept) && !namesNothing(text, len(attachments)) {
			t.Fatalf("%q with %q became %q with %q", text, attachments, out, kept)
		}
	})
}

func namesNothing(text []byte, attachments int) (yes bool) {
	Placeholders(text, func(_, _, num int) { yes = yes || num < 0 || num >= attachments })
	return yes
}

// FuzzMembers: Members yields the same members as encoding/json for everything that
// encoding/json accepts as an object.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{}`, ` {"a" : 1 , "b":[{"a":2}],"a":{"c":"}"}} `, `{"":1,"\u0061":2,"\u0062":3,"n\u0075m":4,"\u0161":5,"\nb":6,"nu":7,"\u006E\u0075\u006d":8}`, `{"\u0061\"":null,"a":"\ud800"}`, `{"a":1}}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`,
		`[]`, `1`, ``, `{"a":1`, `{"a":01}`, `{"a":1 "b":2}`, `{"a":1}x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) > 10_000 || !utf8.Valid(b) {
			return // which encoding/json does not take
		}
		got := map[string]string{}
		ok := Members(b, func(name string, value []byte) { got[name] = string(value) })
		var want map[string]json.RawMessage
		valid := json.Unmarshal(b, &want) == nil && want != nil
		if ok != valid {
			t.Fatalf("%q: encoding/json says %v, Members %v", b, valid, ok)
		}
		names, picked := []string{"b", "a", "num"}, map[string]string{}
		if Pick(b, names, func(i int, value []byte) { picked[names[i]] = string(value) }) != ok {
			t.Fatalf("%q: Members says %v, Pick not", b, ok)
		}
		for _, name := range names {
			if picked[name] != got[name] {
				t.Errorf("%q: %q is %s, to Pick %s", b, name, got[name], picked[name])
			}
		}
		if !ok {
			return
		}
		for name, text := range want {
			if got[name] != string(bytes.TrimSpace(text)) {
				t.Errorf("%q: %q is %s, want %s", b, name, got[name], text)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%q: %q, want %q", b, got, want)
		}
	})
}

// FuzzPlaceholders compares the placeholders that Placeholders finds with those in the
// result of encoding/json. If a name is repeated, the last member counts in both.
func FuzzPlaceholders(f *testing.F) {
	for _, s := range []string{ph0, `[1,` + ph0 + `,{"num":1,"_placeholder":true}]`, `{"\u005fplaceholder":true,"n\u0075m":3}`, `{"_placeholder":true,"num":0,"num":1}`,
		`{"_placeholder":true,"_placeholder":false,"num":0}`, `{"_placeholder":true,"num":0,"\u006eum":"x"}`, `{"a":{"_placeholder":true,"num":-1}}`,
		`{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":1}}`, `[{"_placeholder":true},{"num":1}]`, `{"_placeholder ":true,"num":1e0}`,
		`[[[[[[[[[[[[[[[[[[[[{"_placeholder":true,"num":2}]]]],{"a":{"\u005fplaceholder":true,"num":1}},7]]]]]]]]]]]]]]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var v any
		if !utf8.Valid(text) || !json.Valid(text) || d.Decode(&v) != nil {
			return
		}
		want, got := make(map[int]int), make(map[int]int)
		var walk func(v any)
		walk = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, e := range v {
					walk(e)
				}
			case map[string]any:
				if v["_placeholder"] == true {
					num := -1
					if n, ok := v["num"].(json.Number); ok {
						num = placeholderNum([]byte(n))
					}
					want[num]++
					return
				}
				for _, e := range v {
					walk(e)
				}
			}
		}
		walk(v)
		last := 0
		Placeholders(text, func(start, end, num int) {
			got[num]++
			if start < last || text[start] != '{' || text[end-1] != '}' {
				t.Errorf("%q: a placeholder from %d to %d, after one that ends at %d", text, start, end, last)
			}
			last = end
		})
		// A member that is repeated is in the text twice: those that were
		// replaced may have placeholders.
		if !reflect.DeepEqual(got, want) && !repeats(text) {
			t.Errorf("%q: placeholders %v, want %v", text, got, want)
		}
	})
}

// repeats reports whether an object in valid JSON has a name twice.
func repeats(text []byte) (found bool) {
	switch text = Trim(text); text[0] {
	case '[':
		for _, e := range Elements(text[1 : len(text)-1]) {
			found = found || repeats(e)
		}
	case '{':
		seen := make(map[string]bool)
		Members(text, func(name string, value []byte) {
			found = found || seen[name] || repeats(value)
			seen[name] = true
		})
	}
	return found
}
