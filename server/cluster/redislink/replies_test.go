package redislink

import (
	"strings"
	"testing"
)

// accepts reports whether a stream is valid, whatever parts it arrives in.
func accepts(t *testing.T, stream string) bool {
	t.Helper()
	const most = 10_000
	whole := replies{most: most}
	ok := whole.check([]byte(stream))
	for _, size := range []int{1, 2, 3, 7} {
		parts := replies{most: most}
		for rest := stream; rest != ""; rest = rest[min(size, len(rest)):] {
			parts.check([]byte(rest[:min(size, len(rest))]))
		}
		if parts.broken == ok {
			t.Errorf("%.60q: %v in parts of %d bytes, else %v", stream, !parts.broken, size, ok)
		}
	}
	return ok
}

func TestReplies(t *testing.T) {
	long := "$4000\r\n" + strings.Repeat("\n", 4000) + "\r\n"
	for _, valid := range []string{
		"", "+OK\r\n", "-ERR no\r\n:1\r\n:-1\r\n", "+\r\n", "$0\r\n\r\n", "$-1\r\n+OK\r\n", "*-1\r\n*0\r\n+OK\r\n", "$3\r\n\r\n*\r\n+OK\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n*1\r\n+OK\r\n", "*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n$-1\r\n:7\r\n", long + long + long + long,
		strings.Repeat("*1\r\n", maxNesting) + ":1\r\n", strings.Repeat(":1\r\n", 10_000), "*2\r\n" + long + long, "*3", "$100\r\nabc",
		"-" + strings.Repeat("x", 9_000) + "\r\n",
	} {
		if !accepts(t, valid) {
			t.Errorf("%.60q is refused", valid)
		}
	}
	for _, invalid := range []string{
		"\r\n", "\n", "x\r\n", "HTTP/1.1 400 Bad Request\r\n", "\x00\x01\n", "$\r\n", "*\r\n", "$x\r\n", "$1x\r\n", "$+1\r\n", "$-2\r\n", "*-5\r\n", "$1\n", "*1\n",
		"$10001\r\n", "$9223372036854775807\r\n", "$9223372036854775800\r\n", "$99999999999999999999\r\n", "$" + strings.Repeat("0", 30) + "1\r\n",
		"*4611686018427387904\r\n", "*3000000000\r\n", "*200000\r\n", "*2\r\n*131072\r\n", strings.Repeat("*1\r\n", maxNesting+1),
		strings.Repeat("*1\r\n", 1_000_000), strings.Repeat("|0\r\n", 1_000_000), "*3\r\n" + long + long + long, "*100000\r\n" + strings.Repeat(":1\r\n", 300),
		"+" + strings.Repeat("x", maxLine+1), "-" + strings.Repeat("x", 9_990) + "\r\n",
		"_\r\n", ",1\r\n", "#t\r\n", "!1\r\nx\r\n", "=5\r\ntxt:x\r\n", "(1\r\n", "%1\r\n", "~1\r\n", "|1\r\n", ">1\r\n", "+OK\r\n*1\r\n>1\r\n", // RESP3
	} {
		if accepts(t, invalid) {
			t.Errorf("%.60q is accepted", invalid)
		}
	}
}

// A reply is as good in any parts, and what follows an invalid one is invalid.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n*1\r\n+OK\r\n", "$-1\r\n*-1\r\n:1\r\n-x\r\n", "*2\r\n*1\r\n"} {
		f.Add(seed, uint8(1))
	}
	f.Fuzz(func(t *testing.T, stream string, at uint8) {
		whole, parts := replies{most: 1 << 16}, replies{most: 1 << 16}
		i := min(int(at), len(stream))
		parts.check([]byte(stream[:i]))
		if one, two := whole.check([]byte(stream)), parts.check([]byte(stream[i:])); one != two {
			t.Errorf("%q: %v, in two parts %v", stream, one, two)
		}
		if whole.waiting < 0 || whole.skip < 0 || len(whole.left) > maxNesting || whole.size > whole.most {
			t.Errorf("%q: %+v", stream, whole)
		}
	})
}
