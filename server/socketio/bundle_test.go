package socketio_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// Without a version there is no ETag: an empty one would be the same for every
// version that is ever deployed.
func TestBundleWithoutVersion(t *testing.T) {
	srv := serve(t, socketio.Options{Bundle: fstest.MapFS{"socket.io.js": {Data: []byte("// the client")}}})
	for _, tag := range []string{`""`, `W/""`} {
		resp, body := get(t, srv.URL+"/socket.io/socket.io.js", "If-None-Match", tag)
		if _, has := resp.Header["Etag"]; has || resp.StatusCode != 200 || body != "// the client" {
			t.Errorf("If-None-Match %s: %s %v %q", tag, resp.Status, resp.Header, body)
		}
	}
}

func TestBundle(t *testing.T) {
	files := fstest.MapFS{
		"socket.io.js":         {Data: []byte("// the client")},
		"socket.io.min.js":     {Data: []byte("//")},
		"socket.io.min.js.map": {Data: []byte("{}")},
		"secret.js":            {Data: []byte("no")},
	}
	srv := serve(t, socketio.Options{Bundle: files, BundleVersion: "4.8.4"})
	base := srv.URL + "/socket.io/"
	for _, zip := range []string{"", "gzip, br"} {
		for range 2 {
			resp, body := get(t, base+"socket.io.js", "Accept-Encoding", zip)
			if resp.StatusCode != 200 || body != "// the client" || resp.Header.Get("Etag") != `"4.8.4"` ||
				resp.Header.Get("Content-Type") != "application/javascript; charset=utf-8" || (zip != "") != (resp.Header.Get("Content-Encoding") == "gzip") {
				t.Errorf("%q: %d %q %v", zip, resp.StatusCode, body, resp.Header)
			}
		}
	}
	for _, match := range []string{`"4.8.4"`, `W/"4.8.4"`} {
		if resp, body := get(t, base+"socket.io.js", "If-None-Match", match); resp.StatusCode != 304 || body != "" {
			t.Errorf("%s: %d %q", match, resp.StatusCode, body)
		}
	}
	if resp, _ := get(t, base+"socket.io.js", "If-None-Match", `"4.8.3"`); resp.StatusCode != 200 {
		t.Errorf("another version: %d", resp.StatusCode)
	}
	if resp, body := get(t, base+"socket.io.min.js.map"); body != "{}" || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("the map: %q %v", body, resp.Header)
	}
	if resp, _ := get(t, base+"socket.io.esm.min.js"); resp.StatusCode != 404 {
		t.Errorf("a file that is not there: %d", resp.StatusCode)
	}
	if resp, _ := get(t, base+"secret.js"); resp.StatusCode != 400 {
		t.Errorf("a file that is not the client's: %d", resp.StatusCode)
	}
	socketiotest.Dial(t, srv.URL, socketiotest.Options{})
}

// An answer holds no copy of the file: a client that asks for it many times and
// reads nothing costs no memory.
func TestBundleIsNotCopied(t *testing.T) {
	const size = 1 << 20
	files := fstest.MapFS{"socket.io.js": {Data: bytes.Repeat([]byte("x"), size)}}
	srv := socketio.New(socketio.Options{Bundle: files, BundleVersion: "1"})
	defer srv.Close(t.Context())
	for _, encoding := range []string{"", "gzip"} {
		r := httptest.NewRequest("GET", "/socket.io/socket.io.js", nil)
		r.Header.Set("Accept-Encoding", encoding)
		ask := func() { srv.ServeHTTP(&discard{header: http.Header{}}, r) }
		ask() // reads the file
		const times = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			ask()
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / times; each > size/100 {
			t.Errorf("%q: an answer allocates %d bytes", encoding, each)
		}
	}
}

// discard is a ResponseWriter that drops what is written.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func TestNoBundle(t *testing.T) {
	srv := serve(t, socketio.Options{Bundle: fstest.MapFS{}})
	if resp, _ := get(t, srv.URL+"/socket.io/socket.io.js"); resp.StatusCode != 404 {
		t.Errorf("got %d", resp.StatusCode)
	}
}
