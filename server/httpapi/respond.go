package httpapi

import (
	"net/http"

	"github.com/puente-io/puente/server/realtime"
)

// writeJSON answers with v, encoded as it would be as an event's argument.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := realtime.Encode(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"success":false,"error":{"code":"internal","message":"Internal error"}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}

var statusOf = map[realtime.Code]int{
	realtime.CodeUnauthenticated: http.StatusUnauthorized,
	realtime.CodeUnauthorized:    http.StatusForbidden,
	realtime.CodeInvalid:         http.StatusBadRequest,
	realtime.CodeRateLimited:     http.StatusTooManyRequests,
	realtime.CodeUnavailable:     http.StatusServiceUnavailable,
	realtime.CodeInternal:        http.StatusInternalServerError,
}

func writeError(w http.ResponseWriter, err error) {
	e := *realtime.Public(err)
	status, ok := statusOf[e.Code]
	if !ok {
		status = http.StatusBadRequest // a code of a custom policy
	}
	writeJSON(w, status, realtime.Failure{Error: e})
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusNotFound, realtime.Failure{Error: realtime.Error{Code: "not_found", Message: "Not found"}})
}
