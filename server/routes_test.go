package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The program's routes take precedence over the HTTP API, but not over Socket.IO.
func TestHandle(t *testing.T) {
	n := start(t, env{})
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text+r.PathValue("id")) }
	}
	n.Handle("GET /orders/{id}", answer("order "))
	n.Handle("GET /api/ws/health", answer("mine"))
	n.Handle("/socket.io/", answer("no client gets this"))
	for _, tc := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/orders/7", 200, "order 7"},
		{"GET", "/api/ws/health", 200, "mine"},
		{"GET", "/orders/7/items", 404, `{"success":false,"error":{"code":"not_found","message":"Not found"}}`},
		{"GET", "//healthz", 200, `{"healthy":true}`},
		{"GET", "/healthz", 200, `{"healthy":true}`},
	} {
		if status, text, _ := n.do(tc.method, tc.path, ""); status != tc.status || text != tc.text {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, status, text)
		}
	}
	if status, text, _ := n.do("GET", polling, ""); status != 200 || text == "no client gets this" {
		t.Errorf("Socket.IO: %d %s", status, text)
	}
	w := httptest.NewRecorder()
	n.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/orders/8", nil))
	if got := w.Body.String(); got != "order 8" {
		t.Errorf("Handler: %s", got)
	}
}
