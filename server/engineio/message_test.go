package engineio

import (
	"bytes"
	"net/http/httptest"
	"testing"
)

// A form is built once for all sessions that take it, and shared.
func TestFormIsBuiltOnce(t *testing.T) {
	srv := New(Options{}, acceptFuncs(HandlerFuncs{}))
	defer shut(t, srv)
	binary := []byte{1, 2, 3}
	m := NewMessage(TextFrame([]byte("text")), BinaryFrame(binary).Uncompressed())
	first, again := m.in(formBase64, srv), m.in(formBase64, srv)
	if &first[0] != &again[0] {
		t.Error("a second recipient has built the form again")
	}
	if got, want := string(first[1].payload()), "bAQID"; got != want || !first[1].text || !first[1].plain {
		t.Errorf("got %q (%+v), want the text %q, uncompressed", got, first[1], want)
	}
	if &first[0].wire[0] != &m.plain[0].wire[0] {
		t.Error("a frame that is the same in both forms was copied")
	}
	if !bytes.Equal(m.in(0, srv)[1].payload(), binary) {
		t.Error("the plain form has changed")
	}
}

// Build builds the forms of the set and no other.
func TestBuild(t *testing.T) {
	srv := New(Options{}, acceptFuncs(HandlerFuncs{}))
	defer shut(t, srv)
	m := NewMessage(BinaryFrame([]byte("x")))
	srv.Build(m, form(0).set())
	if m.built.Load() != nil {
		t.Error("the plain form needs no building")
	}
	srv.Build(m, form(0).set()|formBase64.set())
	if b := m.built.Load(); b == nil || b.form != formBase64 || b.next != nil {
		t.Errorf("built %+v, want base64 alone", b)
	}
}

// Mixed counts the sessions with a form, until they end.
func TestMixed(t *testing.T) {
	srv := New(Options{}, acceptFuncs(HandlerFuncs{}))
	defer shut(t, srv)
	open := func(query string) {
		srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling"+query, nil))
	}
	open("")
	if srv.Mixed() {
		t.Error("a client that takes binary messages makes the server mixed")
	}
	open("&b64=1")
	if !srv.Mixed() {
		t.Error("a client that takes base64 is not counted")
	}
	for _, s := range srv.sessions {
		if want := s.Request().Query().Get("b64") != ""; (s.Form() == formBase64.set()) != want {
			t.Errorf("form %b, base64 %v", s.Form(), want)
		}
		s.close(ReasonForcedClose, nil)
		s.setForm(0)
	}
	if srv.Mixed() {
		t.Error("a closed session counts")
	}
}
