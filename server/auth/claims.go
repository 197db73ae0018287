package auth

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/puente-io/puente/server/ident"
)

// Claims are the claims of a valid token. The zero value permits nothing. Claims
// must not be modified once they are shared.
type Claims struct {
	// UserID is the claim userId, or sub if there is no userId. Verify never returns a
	// zero UserID.
	UserID ident.ID

	// Roles are the strings of the claims role and roles. Each claim may be a string
	// or a list of strings.
	Roles []string

	// AnyRoom is true if the token has no claim rooms, so that its user may join every
	// room.
	AnyRoom bool

	// Rooms are the patterns of the claim rooms; see MayJoin. A claim that is null or
	// empty permits no room.
	Rooms []string

	// ExpiresAt is when the token stops being accepted: the claim exp plus the
	// leeway. Zero: never.
	ExpiresAt time.Time

	// Raw is the token's payload, for claims that only the embedding program knows.
	// It is about as large as the token; to keep Claims for long, set it to nil.
	Raw json.RawMessage
}

// HasRole reports whether the token has the role. Case matters.
func (c Claims) HasRole(role string) bool { return slices.Contains(c.Roles, role) }

// MayJoin reports whether the token permits a room. Patterns are matched with the key
// of its id ([ident.ID.Key]).
//
// In a pattern, * matches any number of characters, including none; every other
// character matches itself, and * cannot be escaped: order-* matches order-1 and
// order-, but not my-order-1. Matching takes time linear in pattern and name.
func (c Claims) MayJoin(room ident.ID) bool {
	if room.IsZero() {
		return false
	}
	return c.AnyRoom || slices.ContainsFunc(c.Rooms, func(pattern string) bool { return match(pattern, room.Key()) })
}

// payload holds the claims that this package reads. The embedded struct passes the
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

// UnmarshalJSON decodes into a map first, because claim names are case-sensitive
// (RFC 7519 section 4) and encoding/json's struct fields are not: a claim Role that
// users can set must not count as role.
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
	// As in jsonwebtoken, the types of these matter only if Options require one.
	json.Unmarshal(m["iss"], &p.Issuer)
	p.Audience = audience(m["aud"])
	user, ok := m["userId"]
	if !ok || string(user) == "null" {
		user = m["sub"]
	}
	p.user, _ = ident.Parse(user) // Validate refuses a zero user
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

// Validate implements [jwt.ClaimsValidator]. The check is here because UnmarshalJSON
// is not called if the payload is null.
func (p *payload) Validate() error {
	if p.user.IsZero() {
		return errNoUser
	}
	return nil
}

// roleNames reads a string or a list of strings. It ignores other values: roles only
// add permissions.
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

// audience reads a string or the strings of a list.
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

// roomPatterns reads a string or integer or a list of these. Other values are an
// error: the claim restricts permissions, so ignoring it would add some.
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
