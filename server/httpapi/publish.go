package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
)

// body reads the request body as the argument of an event. If it reports false, it
// has answered with an error.
func (a *api) body(w http.ResponseWriter, r *http.Request) (realtime.Value, bool) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.opts.MaxBody))
	// The server's write deadline counts from the headers, and receiving the body may
	// have used most of it.
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeJSON(w, http.StatusRequestEntityTooLarge, realtime.Failure{Error: *realtime.Invalid("body", fmt.Sprintf("at most %d bytes", a.opts.MaxBody))})
		return realtime.Value{}, false
	case err != nil || !utf8.Valid(b): // clients close the connection on invalid UTF-8
		writeError(w, realtime.Invalid("body", "JSON in UTF-8"))
		return realtime.Value{}, false
	}
	arg, err := a.svc.Argument(b)
	if err != nil {
		writeError(w, err)
		return realtime.Value{}, false
	}
	return arg, true
}

func (a *api) publishNotification(w http.ResponseWriter, r *http.Request) {
	arg, ok := a.body(w, r)
	if !ok {
		return
	}
	n, err := realtime.ParseNotification(arg)
	if err != nil {
		writeError(w, err)
		return
	}
	answer(w, func() (realtime.NotificationSent, error) { return a.svc.PublishNotification(detached(r), n) })
}

func (a *api) publishUpdate(w http.ResponseWriter, r *http.Request) {
	arg, ok := a.body(w, r)
	if !ok {
		return
	}
	u, err := realtime.ParseUpdate(arg)
	if err != nil {
		writeError(w, err)
		return
	}
	answer(w, func() (realtime.UpdatePublished, error) { return a.svc.PublishUpdate(detached(r), u) })
}

// sent is the response of the routes that send any event or disconnect a user.
type sent struct {
	Success   bool      `json:"success"`
	Delivered *bool     `json:"delivered,omitzero"`
	Devices   *int      `json:"devices,omitzero"`
	Timestamp time.Time `json:"timestamp"`
}

func (a *api) broadcast(w http.ResponseWriter, r *http.Request) {
	event, data, ok := a.event(w, r)
	if !ok {
		return
	}
	answer(w, func() (sent, error) {
		err := a.svc.Broadcast(detached(r), event, data)
		return sent{Success: true, Timestamp: time.Now()}, err
	})
}

func (a *api) sendToUser(w http.ResponseWriter, r *http.Request) {
	user, ok := pathID(w, r)
	if !ok {
		return
	}
	event, data, ok := a.event(w, r)
	if !ok {
		return
	}
	answer(w, func() (sent, error) {
		delivered, err := a.svc.SendToUser(detached(r), user, event, data)
		return sent{Success: true, Delivered: &delivered, Timestamp: time.Now()}, err
	})
}

func (a *api) disconnectUser(w http.ResponseWriter, r *http.Request) {
	user, ok := pathID(w, r)
	if !ok {
		return
	}
	answer(w, func() (sent, error) {
		devices, err := a.svc.DisconnectUser(detached(r), user, "disconnected by the server")
		return sent{Success: true, Devices: &devices, Timestamp: time.Now()}, err
	})
}

// event reads a body {event, data}. If it reports false, it has answered with an
// error.
func (a *api) event(w http.ResponseWriter, r *http.Request) (event string, data realtime.Value, ok bool) {
	arg, ok := a.body(w, r)
	if !ok {
		return "", data, false
	}
	event, data, err := realtime.ParseEvent(arg)
	if err != nil {
		writeError(w, err)
		return "", data, false
	}
	return event, data, true
}

// pathID returns the user or room in the path. If it reports false, it has answered
// with an error.
func pathID(w http.ResponseWriter, r *http.Request) (ident.ID, bool) {
	id, err := ident.String(r.PathValue("id"))
	if err != nil {
		writeError(w, realtime.Invalid("id", ident.Allowed))
		return id, false
	}
	return id, true
}

// answer calls f and answers with its result.
func answer[T any](w http.ResponseWriter, f func() (T, error)) {
	out, err := f()
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// detached is the request's context without its end: what is published does not depend
// on whether the backend waits for the answer, or closes its half of the connection. The
// service bounds how long it waits.
func detached(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }
