package urlquery

import (
	"fmt"
	"testing"
)

func TestAll(t *testing.T) {
	for query, want := range map[string]string{
		"":                      "",
		"&&":                    "",
		"a=1&b=2&a=3":           "a:1;b:2;a:3;",
		"a":                     "a:;",
		"a=b=c":                 "a:b=c;",
		"=v":                    ":v;",
		"%61+b=%E2%82%AC+c":     "a b:€ c;",
		"a=%&b=%zz&c=%4&d=%41%": "a:%;b:%zz;c:%4;d:A%;",
		"a=1;b=2":               "a:1;b=2;",
	} {
		got := ""
		for name, value := range All(query) {
			got += fmt.Sprintf("%s:%s;", name, value)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
	for range All("a&b") {
		break
	}
}
