package httpapi_test

import (
	"strings"
	"testing"
)

func TestUsersAndRooms(t *testing.T) {
	n := start(t)
	ana, _ := n.device("ana", "r1", "r2"), n.device("ben", "r2")
	n.want(n.do("GET", "/api/ws/users", ""), 200, `{"users":["ana","ben"],"total":2,"offset":0,"limit":100,"timestamp":T}`)
	n.want(n.do("GET", "/api/ws/rooms", ""), 200, `{"rooms":["r1","r2"],"total":2,"offset":0,"limit":100,"timestamp":T}`)
	n.want(n.do("GET", "/api/ws/rooms/r1", ""), 200, `{"roomId":"r1","users":["ana"],"total":1,"offset":0,"limit":100,"timestamp":T}`)
	n.want(n.do("GET", "/api/ws/rooms/nowhere", ""), 200, `{"roomId":"nowhere","users":[],"total":0,"offset":0,"limit":100,"timestamp":T}`)
	n.want(n.do("GET", "/api/ws/users/nobody", ""), 200, `{"userId":"nobody","connected":false,"devices":[],"rooms":[],"timestamp":T}`)
	a := n.do("GET", "/api/ws/users/ana", "")
	if !strings.HasPrefix(a.body, `{"userId":"ana","connected":true,"devices":["`+ana.ID()+`"],"rooms":["r`) {
		t.Errorf("user %s", a.body)
	}
}

func TestPaging(t *testing.T) {
	n := start(t)
	for _, user := range []string{"a", "b", "c"} {
		n.device(user, "r")
	}
	for query, want := range map[string]string{
		"limit=2":                    `["a","b"],"total":3,"offset":0,"limit":2`,
		"limit=2&offset=2":           `["c"],"total":3,"offset":2,"limit":2`,
		"offset=3":                   `[],"total":3,"offset":3,"limit":100`,
		"offset=1000&limit=1000":     `[],"total":3,"offset":1000,"limit":1000`,
		"offset=9223372036854775807": `[],"total":3,"offset":9223372036854775807,"limit":100`,
	} {
		n.want(n.do("GET", "/api/ws/users?"+query, ""), 200, `{"users":`+want+`,"timestamp":T}`)
		n.want(n.do("GET", "/api/ws/rooms/r?"+query, ""), 200, `{"roomId":"r","users":`+want+`,"timestamp":T}`)
	}
	for _, query := range []string{"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1.5", "limit=99999999999999999999"} {
		n.wantError(n.do("GET", "/api/ws/users?"+query, ""), 400, "invalid", "limit must be a whole number from 1 to 1000")
	}
	for _, query := range []string{"offset=-1", "offset=x"} {
		n.wantError(n.do("GET", "/api/ws/rooms?"+query, ""), 400, "invalid", "offset must be a whole number, 0 or more")
	}
}

// Escaped ids in paths may contain every character that an id may contain.
func TestIDsInPaths(t *testing.T) {
	n := start(t)
	n.device("a/b@c.d ñ%", "x/../y")
	if a := n.do("GET", "/api/ws/users/a%2Fb@c.d%20%C3%B1%25", ""); !strings.HasPrefix(a.body, `{"userId":"a/b@c.d ñ%","connected":true`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := n.do("GET", "/api/ws/rooms/x%2F..%2Fy", ""); !strings.HasPrefix(a.body, `{"roomId":"x/../y","users":["a/b@c.d ñ%"]`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
