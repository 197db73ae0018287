package types_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/puente-io/puente/compat/zishang520/types"
)

func TestEmitter(t *testing.T) {
	e := types.NewEventEmitter()
	var got []any
	first := func(args ...any) { got = append(got, "first", args[0]) }
	second := func(...any) { got = append(got, "second") }
	e.On("e", first, nil, second)
	e.Once("e", func(args ...any) {
		got = append(got, "once")
		e.Emit("e", 2) // is not called again
		e.On("e", func(...any) { got = append(got, "late") })
	})
	e.Emit("e", 1)
	if want := []any{"first", 1, "second", "once", "first", 2, "second"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := e.ListenerCount("e"); n != 3 {
		t.Errorf("%d listeners", n)
	}
	got = nil
	if !e.RemoveListener("e", first) || e.RemoveListener("e", first) || e.RemoveListener("e", nil) {
		t.Error("RemoveListener")
	}
	e.Emit("e")
	if want := []any{"second", "late"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !e.RemoveAllListeners("e") || e.RemoveAllListeners("e") || e.Len() != 0 || len(e.Listeners("e")) != 0 {
		t.Error("RemoveAllListeners")
	}
	types.Events{"a": {first}, "b": {first, second}}.CopyTo(e)
	names := e.EventNames()
	slices.Sort(names)
	if !slices.Equal(names, []types.EventName{"a", "b"}) || e.ListenerCount("b") != 2 {
		t.Errorf("%v", names)
	}
	if e.Clear(); e.Len() != 0 {
		t.Error("Clear")
	}
}

func TestCollections(t *testing.T) {
	s := types.NewSet("a", "b", "a")
	s.Add("c")
	s.Delete("a")
	text, _ := json.Marshal(s)
	var again types.Set[string]
	if err := json.Unmarshal(text, &again); err != nil || again.Len() != 2 || !again.Has("b") || again.Has("a") || !s.Clear() || s.Len() != 0 {
		t.Errorf("%s, %v", text, err)
	}

	var m types.Map[string, error]
	m.Store("nil", nil)
	if v, ok := m.Load("nil"); v != nil || !ok || m.Len() != 1 {
		t.Errorf("%v, %v", v, ok)
	}
	if v, loaded := m.LoadOrStore("eof", io.EOF); v != io.EOF || loaded || len(m.Keys()) != 2 || len(m.Values()) != 2 {
		t.Errorf("%v, %v", v, loaded)
	}
	if v, loaded := m.LoadAndDelete("eof"); v != io.EOF || !loaded {
		t.Errorf("%v, %v", v, loaded)
	}

	l := types.NewSlice(1, 2, 3)
	l.Push(4)
	l.Unshift(0)
	if removed, err := l.Splice(1, 2, 9, 9, 9); err != nil || !slices.Equal(removed, []int{1, 2}) || !slices.Equal(l.All(), []int{0, 9, 9, 9, 3, 4}) {
		t.Errorf("%v, %v, %v", removed, l.All(), err)
	}
	if _, err := l.Splice(7, 1); err != types.ErrIndexOutOfBounds {
		t.Error(err)
	}
	l.RemoveAll(func(v int) bool { return v == 9 })
	last, _ := l.Pop()
	first, _ := l.Shift()
	if last != 4 || first != 0 || !slices.Equal(l.AllAndClear(), []int{3}) || l.Len() != 0 {
		t.Errorf("%d, %d, %v", first, last, l.All())
	}
	if _, err := l.Pop(); err != types.ErrSliceEmpty {
		t.Error(err)
	}
}

func TestBuffer(t *testing.T) {
	b := types.NewBytesBuffer([]byte("añb"))
	if c, err := b.ReadByte(); c != 'a' || err != nil {
		t.Error(c, err)
	}
	if r, n, err := b.ReadRune(); r != 'ñ' || n != 2 || err != nil || b.UnreadRune() != nil || b.UnreadRune() == nil {
		t.Error(r, n, err)
	}
	if b.Len() != 3 || b.Size() != 4 {
		t.Error(b.Len(), b.Size())
	}
	b.WriteString("\nrest")
	if line, err := b.ReadString('\n'); line != "ñb\n" || err != nil {
		t.Error(line, err)
	}
	clone := b.Clone()
	if rest, err := io.ReadAll(b); string(rest) != "rest" || err != nil || clone.String() != "rest" {
		t.Error(rest, err)
	}
	if _, err := b.ReadBytes('x'); err != io.EOF {
		t.Error(err)
	}
	if n, err := b.Seek(-4, io.SeekEnd); n != 5 || err != nil || b.String() != "rest" {
		t.Error(n, err)
	}
	if _, err := b.Seek(-1, io.SeekStart); err == nil {
		t.Error("Seek before the start")
	}
	if b.Truncate(2); b.String() != "re" {
		t.Error(b.String())
	}
	text, err := types.NewStringBufferReader(strings.NewReader("x"))
	if out, _ := json.Marshal(text); err != nil || string(out) != `"x"` {
		t.Error(string(out), err)
	}
}

func TestServeMux(t *testing.T) {
	named := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) }
	}
	mux := types.NewServeMux(named("default"))
	mux.Handle("/a/", named("a"))
	mux.Handle("/a/b/", named("b"))
	mux.Handle("/a/c", named("c"))
	mux.Handle("host.example/a/", named("host"))
	for url, want := range map[string]string{
		"http://x/": "default", "http://x/a": "default", "http://x/a/": "a", "http://x/a/c": "c", "http://x/a/c/": "a", "http://x/a/b/c": "b",
		"http://host.example:80/a/b/c": "host", "http://x/a//b/": "b",
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", url, nil))
		if got := w.Body.String(); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("two handlers of one pattern")
		}
	}()
	mux.Handle("/a/", named("again"))
}

func TestCors(t *testing.T) {
	for _, tc := range []struct {
		origin  any
		allowed []string
	}{
		{nil, []string{"http://a", "http://b"}},
		{"*", []string{"http://a", "http://b"}},
		{"http://a", []string{"http://a"}},
		{regexp.MustCompile("a$"), []string{"http://a"}},
		{true, []string{"http://a", "http://b"}},
		{false, nil},
		{[]any{"http://b", regexp.MustCompile("^x")}, []string{"http://b"}},
	} {
		cors := (&types.Cors{Origin: tc.origin}).Engine()
		for _, origin := range []string{"http://a", "http://b"} {
			if got := cors.Allows(origin); got != slices.Contains(tc.allowed, origin) {
				t.Errorf("%v allows %s: %t", tc.origin, origin, got)
			}
		}
	}
}
