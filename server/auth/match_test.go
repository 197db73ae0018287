package auth

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"*", "anything", true},
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"order-*", "order-", true},
		{"order-*", "order-1", true},
		{"order-*", "order", false},
		{"*-1", "order-1", true},
		{"*-1", "order-12", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "acb", false},
		{"aa*aa", "aaa", false},
		{"aa*aa", "aaaa", true},
		{"a**b", "ab", true},
		{"*ab*ab", "xabab", true},
		{"?.[a]", "?.[a]", true},
		{"?", "x", false},
		{"é*", "éa", true},
		{"a*", "b\na", false},
		{"a*", "a\nb", true},
	} {
		if got := match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
}

// FuzzMatch compares match with equivalent regular expressions.
func FuzzMatch(f *testing.F) {
	f.Add("a*b*c", "a-b-b-c")
	f.Add("*aa*aa*", "aaa")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		parts := strings.Split(strings.ToValidUTF8(pattern, "?"), "*")
		name = strings.ToValidUTF8(name, "?")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		want := regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`).MatchString(name)
		if got := match(strings.ToValidUTF8(pattern, "?"), name); got != want {
			t.Errorf("match(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	})
}

// BenchmarkMatchHostile doubles the lengths of pattern and name: the time must
// double, not quadruple.
func BenchmarkMatchHostile(b *testing.B) {
	for _, n := range []int{64, 128, 256} {
		pattern, name := strings.Repeat("*a", n)+"b", strings.Repeat("a", 2*n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				match(pattern, name)
			}
		})
	}
}
