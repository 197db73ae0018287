package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/flate"
)

// events is JSON of the kind that applications send, with n bytes.
func events(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString(`42["update",[`)
	for b.Len() < n {
		fmt.Fprintf(&b, `{"roomId":"order-%d","status":"%s","at":"2024-12-20T15:%02d:%02d.000Z","n":%d},`,
			r.IntN(100_000), []string{"completed", "pending", "shipped"}[r.IntN(3)], r.IntN(60), r.IntN(60), r.IntN(1e6))
	}
	return b.Bytes()[:n]
}

// noise is n bytes that cannot be compressed.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// deflated compresses with the standard library, which shares no code with what is tested.
func deflated(message []byte) []byte {
	var b bytes.Buffer
	w, _ := stdflate.NewWriter(&b, 9)
	w.Write(message)
	w.Flush()
	return b.Bytes()[:b.Len()-4]
}

// inflated decompresses with the standard library.
func inflated(compressed []byte) ([]byte, error) {
	return io.ReadAll(stdflate.NewReader(io.MultiReader(bytes.NewReader(compressed), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
}

func TestCompress(t *testing.T) {
	for _, level := range []int{1, 6, 9} {
		c := NewCompressor(level)
		for _, n := range []int{300, 1024, 32 << 10, 100_000, 1024} {
			const room = 18
			message := events(n)
			b := c.Compress(message, room)
			if b == nil {
				t.Fatalf("level %d: %d bytes become no smaller", level, n)
			}
			if got, err := inflated(b[room:]); err != nil || !bytes.Equal(got, message) {
				t.Errorf("level %d: %d bytes became %d, %v", level, n, len(got), err)
			}
			if cap(b)-len(b) > len(b)/4+32 {
				t.Errorf("%d bytes take a buffer of %d", len(b), cap(b))
			}
		}
		for _, message := range [][]byte{nil, []byte("4"), noise(5000)} {
			if c.Compress(message, 0) != nil {
				t.Errorf("%d bytes of noise become smaller", len(message))
			}
		}
	}
}

func TestCounts(t *testing.T) {
	c := NewCompressor(1)
	b := c.Compress(events(4096), 0)
	c.Compress(noise(1000), 0)
	if got, want := c.Counts(), (Counts{2, 5096, int64(len(b)) + 1000}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDecompress(t *testing.T) {
	d := NewDecompressor()
	for _, n := range []int{0, 1, 1000, 32<<10 - 1, 32 << 10, 32<<10 + 1, 64 << 10, 200_000} {
		for name, message := range map[string][]byte{"events": events(n + 20)[:n], "noise": noise(n), "zeros": make([]byte, n)} {
			got, err := d.Decompress(deflated(message), n)
			if err != nil || !bytes.Equal(got, message) {
				t.Errorf("%s: %d bytes became %d, %v", name, n, len(got), err)
			}
			if n > 0 {
				if got, err := d.Decompress(deflated(message), n-1); err != ErrTooLarge {
					t.Errorf("%s: %d bytes were decompressed beyond the limit: %d, %v", name, n, len(got), err)
				}
			}
		}
	}
}

// A message may end with a final block, after which the rest does not count, as for Node.
func TestFinalBlock(t *testing.T) {
	var b bytes.Buffer
	w, _ := stdflate.NewWriter(&b, 1)
	w.Write([]byte("4hello"))
	w.Close()
	for _, rest := range []string{"", "\x00", "garbage"} {
		if got, err := NewDecompressor().Decompress(append(b.Bytes(), rest...), 100); err != nil || string(got) != "4hello" {
			t.Errorf("with %q behind it: %q, %v", rest, got, err)
		}
	}
}

func TestCorrupt(t *testing.T) {
	d := NewDecompressor()
	hello := deflated([]byte("4hello hello hello"))
	for name, in := range map[string][]byte{
		"nothing at all": {}, "not deflate": []byte("this is not deflate"), "a block of type 3": {6},
		"cut off": hello[:len(hello)-3], "a stored block cut off": {0, 10, 0, 0xf5, 0xff, '4', 'a'},
		"what was in an earlier message": {0xc1, 0x11, 0, 0}, // Node's context takeover, which was not agreed on
		"cut off beyond the buffer":      deflated(noise(100_000))[:70_000],
	} {
		if got, err := d.Decompress(in, 1<<20); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := d.Decompress([]byte{0}, 0); err != nil || len(got) != 0 { // section 7.2.3.6
		t.Errorf("an empty message: %q, %v", got, err)
	}
	if got, err := d.Decompress(hello, 100); err != nil || string(got) != "4hello hello hello" {
		t.Errorf("after errors: %q, %v", got, err)
	}
}

// A message that is too large is recognised in time and memory that its size does not
// matter to.
func TestBomb(t *testing.T) {
	const limit = 1_000_000
	bomb := bytes.Repeat(append(deflated(make([]byte, 1<<20)), tail...), 900) // 900 MiB
	d := NewDecompressor()
	d.Decompress(deflated(nil), limit) // makes the decoder
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := d.Decompress(bomb, limit)
	runtime.ReadMemStats(&after)
	if err != ErrTooLarge {
		t.Errorf("got %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("%d bytes were allocated", n)
	}
}

// However many goroutines there are, the number of coders is bounded.
func TestPool(t *testing.T) {
	var mu sync.Mutex
	made, used, most := 0, 0, 0
	p := NewPool(func() *int { made++; return new(int) })
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 100 {
				v := p.Get()
				mu.Lock()
				used++
				most = max(most, used)
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				used--
				mu.Unlock()
				p.Put(v)
			}
		})
	}
	all.Wait()
	if n := runtime.GOMAXPROCS(0); made > n || most > n {
		t.Errorf("%d made, %d in use at once on %d processors", made, most, n)
	}
}

// What we compress, and what the standard library compresses, we get back; what is not
// right for the standard library is not right for us.
func FuzzDecompress(f *testing.F) {
	for _, message := range [][]byte{nil, []byte("4hello"), events(3000), noise(300), make([]byte, 70_000)} {
		f.Add(deflated(message))
		f.Add(message)
	}
	c, d := NewCompressor(1), NewDecompressor()
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 100_000
		if b := c.Compress(in, 0); b != nil {
			if got, err := d.Decompress(b, len(in)); err != nil || !bytes.Equal(got, in) {
				t.Errorf("round trip: %d bytes became %d, %v", len(in), len(got), err)
			}
		}
		got, err := d.Decompress(in, limit)
		want, wrong := io.ReadAll(io.LimitReader(stdflate.NewReader(iotest.OneByteReader(io.MultiReader(bytes.NewReader(in), strings.NewReader(tail+last)))), limit+1))
		switch {
		case len(want) > limit:
			if err != ErrTooLarge {
				t.Errorf("a message that is too large: %d bytes, %v", len(got), err)
			}
		case wrong != nil:
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v here: %d bytes, %v", wrong, len(got), err)
			}
		case err != nil || !bytes.Equal(got, want):
			t.Errorf("want %d bytes, got %d, %v", len(want), len(got), err)
		}
	})
}

func BenchmarkCompress(b *testing.B) {
	for _, n := range []int{1024, 4096, 64 << 10} {
		message := events(n)
		for _, level := range []int{1, 2, 6} {
			b.Run(fmt.Sprintf("%d/level %d", n, level), func(b *testing.B) {
				c := NewCompressor(level)
				b.ReportAllocs()
				b.SetBytes(int64(n))
				var out []byte
				for b.Loop() {
					out = c.Compress(message, 0)
				}
				b.ReportMetric(float64(len(out))/float64(n), "ratio")
			})
		}
		// The alternatives, without the copy of the result.
		std, _ := stdflate.NewWriter(nil, 1)
		for name, compress := range map[string]func(*bytes.Buffer){
			"stateless":        func(out *bytes.Buffer) { flate.StatelessDeflate(out, message, false, nil) },
			"standard level 1": func(out *bytes.Buffer) { std.Reset(out); std.Write(message); std.Flush() },
		} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				var out bytes.Buffer
				b.ReportAllocs()
				b.SetBytes(int64(n))
				for b.Loop() {
					out.Reset()
					compress(&out)
				}
				b.ReportMetric(float64(out.Len())/float64(n), "ratio")
			})
		}
	}
}

func BenchmarkDecompress(b *testing.B) {
	for _, n := range []int{1024, 4096, 64 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in, d := deflated(events(n)), NewDecompressor()
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				if _, err := d.Decompress(in, n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
