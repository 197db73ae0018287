package httpapi

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
)

// Bounds of the query parameter limit.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// page describes a page of a list, selected by ?offset=0&limit=100.
type page struct {
	Total     int       `json:"total"`
	Offset    int       `json:"offset"`
	Limit     int       `json:"limit"`
	Timestamp time.Time `json:"timestamp"`
}

// paged returns the requested page of a list. If it reports false, it has answered
// with an error.
func paged(w http.ResponseWriter, r *http.Request, all []ident.ID) ([]ident.ID, page, bool) {
	p := page{Total: len(all), Limit: defaultLimit, Timestamp: time.Now()}
	for _, param := range []struct {
		name    string
		value   *int
		least   int
		most    int
		allowed string
	}{
		{"offset", &p.Offset, 0, math.MaxInt, "a whole number, 0 or more"},
		{"limit", &p.Limit, 1, maxLimit, "a whole number from 1 to 1000"},
	} {
		text := r.URL.Query().Get(param.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < param.least || n > param.most {
			writeError(w, realtime.Invalid(param.name, param.allowed))
			return nil, p, false
		}
		*param.value = n
	}
	start := min(p.Offset, len(all))
	return all[start:min(start+p.Limit, len(all))], p, true
}

func (a *api) users(w http.ResponseWriter, r *http.Request) {
	users, p, ok := paged(w, r, a.svc.ConnectedUsers())
	if !ok {
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Users []ident.ID `json:"users"`
		page
	}{users, p})
}

func (a *api) user(w http.ResponseWriter, r *http.Request) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	devices := a.svc.UserSockets(id)
	writeJSON(w, http.StatusOK, struct {
		UserID    ident.ID   `json:"userId"`
		Connected bool       `json:"connected"`
		Devices   []string   `json:"devices"`
		Rooms     []ident.ID `json:"rooms"`
		Timestamp time.Time  `json:"timestamp"`
	}{id, len(devices) > 0, devices, a.svc.RoomsForUser(id), time.Now()})
}

func (a *api) rooms(w http.ResponseWriter, r *http.Request) {
	rooms, p, ok := paged(w, r, a.svc.Rooms())
	if !ok {
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Rooms []ident.ID `json:"rooms"`
		page
	}{rooms, p})
}

func (a *api) room(w http.ResponseWriter, r *http.Request) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	_, total := a.svc.UsersInRoom(id, 0)
	all, _ := a.svc.UsersInRoom(id, total)
	users, p, ok := paged(w, r, all)
	if !ok {
		return
	}
	writeJSON(w, http.StatusOK, struct {
		RoomID ident.ID   `json:"roomId"`
		Users  []ident.ID `json:"users"`
		page
	}{id, users, p})
}
