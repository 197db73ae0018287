package socketio

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// bundleNames are the files of the browser client, named as on Node. Each has a
// map.
var bundleNames = [...]string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"}

// bundle serves the browser client.
type bundle struct {
	version string
	files   map[string]*bundleFile // also those that do not exist
}

// bundleFile is a file that is read and compressed at its first request. All
// responses share these bytes, so a stalled one holds none of its own.
type bundleFile struct {
	plain, zipped func() []byte // nil if the file is not there
}

func newBundle(files fs.FS, version string) *bundle {
	b := &bundle{version: version, files: make(map[string]*bundleFile)}
	for _, name := range bundleNames {
		b.files[name] = newBundleFile(files, name)
		b.files[name+".map"] = newBundleFile(files, name+".map")
	}
	return b
}

func newBundleFile(files fs.FS, name string) *bundleFile {
	plain := sync.OnceValue(func() []byte {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil
		}
		return b
	})
	return &bundleFile{plain: plain, zipped: sync.OnceValue(func() []byte { return zip(plain()) })}
}

func zip(plain []byte) []byte {
	if plain == nil {
		return nil
	}
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(plain)
	w.Close()
	return bytes.Clone(buf.Bytes())
}

// serves reports whether the last element of the path is a file of the browser
// client.
func (b *bundle) serves(urlPath string) bool { return b.files[path.Base(urlPath)] != nil }

func (b *bundle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	etag := `"` + b.version + `"`
	h := w.Header()
	if match := r.Header.Get("If-None-Match"); b.version != "" && (match == etag || match == "W/"+etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	gzipped := strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	body := b.files[name].plain
	if gzipped {
		body = b.files[name].zipped
	}
	content := body()
	if content == nil {
		http.NotFound(w, r)
		return
	}
	h.Set("Cache-Control", "public, max-age=0")
	h.Set("Content-Length", strconv.Itoa(len(content)))
	if b.version != "" { // an empty version would give all releases the same tag
		h.Set("ETag", etag)
	}
	if strings.HasSuffix(name, ".map") {
		h.Set("Content-Type", "application/json; charset=utf-8")
	} else {
		h.Set("Content-Type", "application/javascript; charset=utf-8")
	}
	if gzipped {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
	}
	w.Write(content)
}
