package socketio

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

// bundle serves the browser's client, under the names that Node serves it.
type bundle struct {
	files   fs.FS
	version string

	mu     sync.Mutex
	zipped map[string][]byte
}

func newBundle(files fs.FS, version string) *bundle {
	return &bundle{files: files, version: version, zipped: make(map[string][]byte)}
}

// serves reports whether the last element of a path names a file of the client.
func (b *bundle) serves(urlPath string) bool {
	name := strings.TrimSuffix(path.Base(urlPath), ".map")
	switch name {
	case "socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js":
		return true
	}
	return false
}

func (b *bundle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	etag := `"` + b.version + `"`
	h := w.Header()
	if match := r.Header.Get("If-None-Match"); match == etag || match == "W/"+etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	plain, err := fs.ReadFile(b.files, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h.Set("Cache-Control", "public, max-age=0")
	h.Set("ETag", etag)
	if strings.HasSuffix(name, ".map") {
		h.Set("Content-Type", "application/json; charset=utf-8")
	} else {
		h.Set("Content-Type", "application/javascript; charset=utf-8")
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		plain = b.zip(name, plain)
	}
	w.Write(plain)
}

// zip compresses a file once.
func (b *bundle) zip(name string, plain []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if z := b.zipped[name]; z != nil {
		return z
	}
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(plain)
	w.Close()
	b.zipped[name] = buf.Bytes()
	return buf.Bytes()
}
