package proc

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const line = "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 100 0 0 0 123 77 0 0 20 0 11 0 3000 1000 200 18446744073709551615 0\n"
	if got, err := parseStat([]byte(line)); err != nil || got != 2*time.Second {
		t.Errorf("got %v, %v; want 2s", got, err)
	}
	for _, in := range []string{"", "1 (x) S 1 2", "1 (x) S 1 2 3 4 5 6 7 8 9 10 u s 0"} {
		if _, err := parseStat([]byte(in)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: got %v, want ErrFormat", in, err)
		}
	}
}

func TestParseKiB(t *testing.T) {
	if got, err := parseKiB([]byte("00400000-7ffe ---p 0 [rollup]\nRss:               51234 kB\nPss: 1 kB\n"), "Rss"); err != nil || got != 51234<<10 {
		t.Errorf("got %d, %v", got, err)
	}
	for _, in := range []string{"", "Pss: 1 kB\n", "Rss: x kB\n", "Rss: 5 MB\n"} {
		if _, err := parseKiB([]byte(in), "Rss"); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: got %v, want ErrFormat", in, err)
		}
	}
}

func TestOfThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	if rss, err := RSS(os.Getpid()); err != nil || rss < 1<<20 {
		t.Errorf("RSS %d, %v", rss, err)
	}
	if peak, err := Peak(os.Getpid()); err != nil || peak < 1<<20 {
		t.Errorf("peak %d, %v", peak, err)
	}
	if _, err := CPU(os.Getpid()); err != nil {
		t.Error(err)
	}
}
