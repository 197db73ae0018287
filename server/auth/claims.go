package auth

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/puente-io/puente/server/ident"
)

// Claims is what a valid token says. Its zero value may do nothing. It must not be
// changed once it is shared.
type Claims struct {
	// UserID is the claim userId, or sub where there is no userId. Verify never
	// returns a zero one.
	UserID ident.ID

	// Roles are the strings of the claims role and roles, each of which may be one
	// string or a list.
	Roles []string

	// AnyRoom says that the token has no claim rooms and so does not limit them.
	AnyRoom bool

	// Rooms are the patterns of the claim rooms; see MayJoin. A claim rooms that is
	// null or empty allows none.
	Rooms []string

	// ExpiresAt is when the token stops being accepted: the claim exp and the
	// leeway. The zero time: never.
	ExpiresAt time.Time

	// Raw is the token's payload, for claims that only the embedding program knows.
	// It is as large as the token; whoever keeps Claims for long may set it to nil.
	Raw json.RawMessage
}

// HasRole reports whether the token has the role, in exactly this spelling.
func (c Claims) HasRole(role string) bool { return slices.Contains(c.Roles, role) }

// MayJoin reports whether the token allows a room, given by the canonical text of
// its id (ident.ID.Key).
//
// In a pattern, * stands for any characters, also none; every other character
// stands for itself, and there is no way to escape a *. order-* allows order-1 and
// order-, but not my-order-1. Matching takes time linear in pattern and name.
func (c Claims) MayJoin(room string) bool {
	if room == "" {
		return false
	}
	return c.AnyRoom || slices.ContainsFunc(c.Rooms, func(pattern string) bool { return match(pattern, room) })
}

// payload reads the claims that we know. The embedded struct carries the
// registered ones to golang-jwt's validator.
type payload struct {
	jwt.RegisteredClaims
	user    ident.ID
	roles   []string
	rooms   []string
	anyRoom bool
	raw     json.RawMessage
}

func (p *payload) claims(leeway time.Duration) Claims {
	c := Claims{UserID: p.user, Roles: p.roles, AnyRoom: p.anyRoom, Rooms: p.rooms, Raw: p.raw}
	if p.ExpiresAt != nil {
		c.ExpiresAt = p.ExpiresAt.Add(leeway)
	}
	return c
}

// UnmarshalJSON goes by way of a map, because claim names are case-sensitive (RFC
// 7519 section 4) and encoding/json's struct fields are not: a claim Role that
// users may set must not be taken for role.
func (p *payload) UnmarshalJSON(data []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	for name, into := range map[string]**jwt.NumericDate{"exp": &p.ExpiresAt, "nbf": &p.NotBefore} {
		if raw, ok := m[name]; ok {
			var err error
			if *into, err = parseDate(raw); err != nil {
				return err
			}
		}
	}
	// As in jsonwebtoken, of what shape these are matters only if one is required.
	json.Unmarshal(m["iss"], &p.Issuer)
	p.Audience = audience(m["aud"])
	user, ok := m["userId"]
	if !ok || string(user) == "null" {
		user = m["sub"]
	}
	p.user, _ = ident.Parse(user) // zero is refused by Validate
	p.roles = append(roleNames(m["role"]), roleNames(m["roles"])...)
	rooms, limited := m["rooms"]
	p.anyRoom = !limited
	if limited {
		var err error
		if p.rooms, err = roomPatterns(rooms); err != nil {
			return err
		}
	}
	p.raw = bytes.Clone(data)
	return nil
}

// Validate implements [jwt.ClaimsValidator]. It stands apart from UnmarshalJSON
// because that is not called for a payload of null.
func (p *payload) Validate() error {
	if p.user.IsZero() {
		return errNoUser
	}
	return nil
}

// roleNames reads a string or a list of strings. A role only ever permits more, so
// what has another shape permits nothing.
func roleNames(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	return nil
}

// audience reads a string, or a list, of which only the strings count.
func audience(raw json.RawMessage) (names []string) {
	var claim any
	json.Unmarshal(raw, &claim)
	list, ok := claim.([]any)
	if !ok {
		list = []any{claim}
	}
	for _, item := range list {
		if name, ok := item.(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// roomPatterns reads a list of strings or integers, or a single one. The claim
// limits what a user may do, so what has another shape is an error.
func roomPatterns(raw json.RawMessage) ([]string, error) {
	var list []ident.ID
	if err := json.Unmarshal(raw, &list); err != nil {
		one, err := ident.Parse(raw)
		if err != nil {
			return nil, errRooms
		}
		list = []ident.ID{one}
	}
	patterns := make([]string, len(list))
	for i, id := range list {
		if id.IsZero() {
			return nil, errRooms
		}
		patterns[i] = id.Key()
	}
	return patterns, nil
}
