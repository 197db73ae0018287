package ident_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/puente-io/puente/server/ident"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("é", ident.MaxLength)
	for _, tt := range []struct {
		in   string
		key  string // "" = refused
		json string // "" = as in
	}{
		{in: `"alice"`, key: "alice"},
		{in: `"user@example.com"`, key: "user@example.com"},
		{in: `"a b"`, key: "a b"},
		{in: `"<&>"`, key: "<&>"},
		{in: `"a\"b\\c"`, key: `a"b\c`},
		{in: `"\u00e9"`, key: "é", json: `"é"`},
		{in: `"😀"`, key: "😀"},
		{in: `"\ud83d\ude00"`, key: "😀", json: `"😀"`},
		{in: "\"\u2028\"", key: "\u2028"},
		{in: `"42"`, key: "42"},
		{in: `"042"`, key: "042"},
		{in: `"` + long + `"`, key: long},
		{in: `"` + strings.Repeat(`\ud83d\ude00`, ident.MaxLength) + `"`, key: strings.Repeat("😀", ident.MaxLength), json: `"` + strings.Repeat("😀", ident.MaxLength) + `"`},
		{in: ` "padded"` + "\n", key: "padded", json: `"padded"`},
		{in: `42`, key: "42"},
		{in: `0`, key: "0"},
		{in: `-7`, key: "-7"},
		{in: `-0`, key: "0", json: `0`},
		{in: `42.0`, key: "42", json: `42`},
		{in: `4.2e1`, key: "42", json: `42`},
		{in: `9007199254740991`, key: "9007199254740991"},
		{in: `-9007199254740991`, key: "-9007199254740991"},

		{in: ``},
		{in: `""`},
		{in: `"`},
		{in: `"a`},
		{in: `"a"b"`},
		{in: `"a" "b"`},
		{in: `"\x"`},
		{in: `"` + long + `x"`},
		{in: `"` + strings.Repeat("x", 1<<20) + `"`},
		{in: `"a\nb"`},
		{in: "\"a\nb\""},
		{in: `"\u0000"`},
		{in: "\"\u007f\""},
		{in: "\"\u0085\""},
		{in: `"\ud800"`},
		{in: "\"\xff\""},
		{in: `"` + "\ufffd" + `"`},
		{in: `null`},
		{in: `true`},
		{in: `{}`},
		{in: `["a"]`},
		{in: `4.2`},
		{in: `042`},
		{in: `+1`},
		{in: `0x10`},
		{in: `1_000`},
		{in: `1.`},
		{in: `-`},
		{in: `-inf`},
		{in: `NaN`},
		{in: `1 2`},
		{in: `9007199254740992`},
		{in: `-9007199254740992`},
		{in: `1e309`},
		{in: strings.Repeat("9", 400)},
	} {
		id, err := ident.Parse([]byte(tt.in))
		if tt.key == "" {
			if !errors.Is(err, ident.ErrInvalid) || !id.IsZero() {
				t.Errorf("Parse(%.40q) = %q, %v; want ErrInvalid", tt.in, id, err)
			}
			continue
		}
		want := tt.json
		if want == "" {
			want = tt.in
		}
		if err != nil || id.Key() != tt.key || string(id.AppendJSON(nil)) != want {
			t.Errorf("Parse(%.40q) = %q, %s, %v; want %q, %s", tt.in, id, id.AppendJSON(nil), err, tt.key, want)
		}
	}
}

func TestSameUserAsStringAndInteger(t *testing.T) {
	text, number := ident.Of("42"), ident.OfInt(42)
	if !text.Equal(number) || text.Key() != number.Key() {
		t.Errorf("%#v and %#v are not equal", text, number)
	}
	if text.Equal(ident.Of("042")) {
		t.Error(`"42" and "042" are equal`)
	}
	got, err := json.Marshal([]ident.ID{text, number})
	if err != nil || string(got) != `["42",42]` {
		t.Errorf("Marshal = %s, %v; want each form as it was sent", got, err)
	}
}

func TestUnmarshalInto(t *testing.T) {
	type request struct {
		RoomID ident.ID `json:"roomId"`
	}
	for _, in := range []string{`{}`, `{"roomId":null}`} {
		req := request{}
		if err := json.Unmarshal([]byte(in), &req); err != nil || !req.RoomID.IsZero() {
			t.Errorf("Unmarshal(%s) = %v, %v; want the zero value", in, req.RoomID, err)
		}
	}
	req := request{RoomID: ident.OfInt(1)}
	if err := json.Unmarshal([]byte(`{"roomId":false}`), &req); !errors.Is(err, ident.ErrInvalid) {
		t.Errorf("error = %v, want ErrInvalid", err)
	}
	if err := json.Unmarshal([]byte(`{"roomId":null}`), &req); err != nil || !req.RoomID.IsZero() {
		t.Errorf("null left %v, %v; want the zero value", req.RoomID, err)
	}
	if got, err := json.Marshal(request{}); err != nil || string(got) != `{"roomId":null}` {
		t.Errorf("Marshal of the zero value = %s, %v", got, err)
	}
}

func TestConstructorsRefuse(t *testing.T) {
	for _, s := range []string{"", "\x00", "a\r", "\xc3", strings.Repeat("x", ident.MaxLength+1)} {
		if id, err := ident.String(s); !errors.Is(err, ident.ErrInvalid) || !id.IsZero() {
			t.Errorf("String(%.20q) = %v, %v; want ErrInvalid", s, id, err)
		}
	}
	for _, n := range []int64{ident.MaxInt + 1, -ident.MaxInt - 1, 1<<63 - 1, -1 << 63} {
		if id, err := ident.Int(n); !errors.Is(err, ident.ErrInvalid) || !id.IsZero() {
			t.Errorf("Int(%d) = %v, %v; want ErrInvalid", n, id, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Of did not panic")
		}
	}()
	ident.Of("")
}

// FuzzParse checks that every accepted value is a valid identifier whose JSON form
// parses to the same identifier, and that an independent decoder agrees.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`"alice"`, `42`, `-0`, `42.0`, `1e3`, `1e-3`, `"a\"b\\"`, `"\ud800"`, `"\u0000"`, "\"\xff\"", `null`, `"`, `"\`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := ident.Parse(data)
		if err != nil {
			if !errors.Is(err, ident.ErrInvalid) || !id.IsZero() {
				t.Fatalf("Parse(%q) = %v, %v", data, id, err)
			}
			return
		}
		if n := utf8.RuneCountInString(id.Key()); n < 1 || n > ident.MaxLength || !utf8.ValidString(id.Key()) {
			t.Fatalf("Parse(%q) accepted %q", data, id.Key())
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("Parse accepted %q, which is not JSON: %v", data, err)
		}
		switch v := v.(type) {
		case string:
			if v != id.Key() {
				t.Fatalf("Parse(%q).Key() = %q, want %q", data, id.Key(), v)
			}
		case float64:
			if n := int64(v); float64(n) != v || !id.Equal(ident.OfInt(n)) {
				t.Fatalf("Parse(%q).Key() = %q, want %v", data, id.Key(), v)
			}
		default:
			t.Fatalf("Parse accepted %q", data)
		}
		form := id.AppendJSON(nil)
		again, err := ident.Parse(form)
		if err != nil || !again.Equal(id) || string(again.AppendJSON(nil)) != string(form) {
			t.Fatalf("Parse(%q) gives %s, which reads back as %v, %v", data, form, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	in := []byte(`"user-0000000123456"`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ident.Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}
