package socketio_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/puente-io/puente/server/socketio"
)

// Attach serves its path and everything below it, even with doubled slashes, and passes
// all other requests unchanged to the next handler.
func TestAttach(t *testing.T) {
	const polling = "?EIO=4&transport=polling"
	for _, tc := range []struct {
		opts  socketio.Options
		paths map[string]int // status; 418 is that of the next handler
	}{
		{socketio.Options{}, map[string]int{
			"/socket.io/": 200, "//socket.io/": 200, "/socket.io//": 200, "///socket.io///x": 200, "/socket.io/x": 200,
			"/socket.io": 418, "//socket.io": 418, "/socket.iox": 418, "/socket.iox/": 418, "/": 418, "//": 418, "/a//b": 418, "/x/socket.io/": 418,
		}},
		{socketio.Options{NoTrailingSlash: true}, map[string]int{
			"/socket.io": 200, "//socket.io": 200, "/socket.io/": 200, "/socket.iox": 418, "/": 418,
		}},
		{socketio.Options{Path: "/ws/chat/"}, map[string]int{
			"/ws/chat/": 200, "/ws//chat/": 200, "/ws/chat": 418, "/socket.io/": 418,
		}},
		{socketio.Options{Path: "/ws/chat", NoTrailingSlash: true}, map[string]int{"/ws/chat": 200, "/ws/chat/": 200}},
	} {
		srv := socketio.New(tc.opts)
		defer srv.Close(t.Context())
		var got string
		h := srv.Attach(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.URL.Path
			w.WriteHeader(http.StatusTeapot)
		}))
		for path, want := range tc.paths {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "http://x"+path+polling, nil)
			r.URL.Path = path
			h.ServeHTTP(w, r)
			if w.Code != want || want == 418 && got != path {
				t.Errorf("%+q, %q, %v: %d at %q, want %d", path, tc.opts.Path, tc.opts.NoTrailingSlash, w.Code, got, want)
			}
		}
	}
}
