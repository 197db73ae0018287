package deflate

import (
	"strings"
	"testing"
)

// More offers, with Node's answers, are in compat/transcripts/websocket-deflate-offers.txt.
func TestNegotiate(t *testing.T) {
	const both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, tc := range []struct {
		header []string
		want   string // "error": refused
	}{
		{nil, ""},
		{[]string{"permessage-deflate; client_max_window_bits"}, both},
		{[]string{"x-other", "permessage-deflate"}, both},
		{[]string{"x-other"}, ""},
		{[]string{"permessage-deflate; client_no_context_takeover"}, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
		{[]string{`permessage-deflate; client_max_window_bits="1\0"`}, "permessage-deflate; client_max_window_bits=10; server_no_context_takeover; client_no_context_takeover"},
		{[]string{"permessage-deflate; client_max_window_bits; server_max_window_bits=15"}, "permessage-deflate; server_max_window_bits=15; server_no_context_takeover; client_no_context_takeover"},
		{[]string{"permessage-deflate; server_max_window_bits=10"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, both},
		{[]string{""}, "error"},
		{[]string{"permessage-deflate; server_max_window_bits=10; server_max_window_bits=15"}, "error"},
		{[]string{"permessage-deflate; client_max_window_bits; client_max_window_bits"}, "error"},
		{[]string{"permessage-deflate, permessage-deflate; x"}, "error"},
		{[]string{`x-other; a="b,c"`}, "error"},
		{[]string{"permessage-deflate; server_max_window_bits=08"}, "error"},
	} {
		got, err := Negotiate(tc.header)
		if err != nil {
			got = "error"
		}
		if got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.header, got, tc.want)
		}
	}
}

// An answer repeats nothing, forgets both ways, and answers the same again.
func FuzzNegotiate(f *testing.F) {
	for _, s := range []string{
		"", "permessage-deflate", "permessage-deflate; client_max_window_bits; server_max_window_bits=15",
		`x; a="b\c", permessage-deflate; client_max_window_bits="12"`, "permessage-deflate; server_no_context_takeover, permessage-deflate",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		answer, err := Negotiate([]string{header})
		if err != nil || answer == "" {
			return
		}
		if strings.Count(answer, serverForgets) != 1 || strings.Count(answer, clientForgets) != 1 {
			t.Errorf("%q: %q", header, answer)
		}
		if again, err := Negotiate([]string{answer}); again != answer {
			t.Errorf("%q: %q, and that %q, %v", header, answer, again, err)
		}
	})
}
