package realtime

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

// ParseRoom decodes a room id as clients send it: {roomId} or the bare id. Errors
// are [*Error].
func ParseRoom(v socketio.Value) (ident.ID, error) {
	if len(v.JSON) > 0 && v.JSON[0] == '{' {
		in := struct {
			RoomID ident.ID `json:"roomId"`
		}{}
		if err := DecodeObject(v, &in); err != nil {
			return in.RoomID, err
		}
		if in.RoomID.IsZero() {
			return in.RoomID, Invalid("roomId", ident.Allowed)
		}
		return in.RoomID, nil
	}
	id, err := ident.Parse(v.JSON)
	if err != nil {
		return id, Invalid("roomId", ident.Allowed)
	}
	return id, nil
}

// DecodeObject decodes an object into the struct that into points to. It sets the
// fields whose json tags match a member's name exactly; if a name is repeated, the
// last member counts. It skips other members cheaply and does not parse into a
// [socketio.Value]. It returns an [*Error] if v is no object, or if a member has the
// wrong type: the text is that of the field's tag `allowed`, by default that for ids.
func DecodeObject(v socketio.Value, into any) error {
	object := reflect.ValueOf(into).Elem()
	names, wrong := namesOf(object.Type()), ""
	ok := v.Pick(names, func(i int, member socketio.Value) {
		var err error
		switch field := object.Field(i).Addr().Interface().(type) {
		case *socketio.Value:
			*field = member
		default:
			err = member.Decode(field)
		}
		if err != nil && wrong == "" {
			wrong = names[i]
		} else if err == nil && wrong == names[i] {
			wrong = ""
		}
	})
	switch {
	case !ok:
		return Invalid("argument", "an object")
	case wrong != "":
		return Invalid(wrong, allowed(object.Type(), wrong))
	}
	return nil
}

// namesOf returns the JSON names of a struct's fields; each field must have one.
func namesOf(t reflect.Type) []string {
	if known, ok := structs.Load(t); ok {
		return known.([]string)
	}
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = jsonName(t.Field(i))
	}
	structs.Store(t, names)
	return names
}

// structs caches the results of namesOf by type.
var structs sync.Map

// notAllowed returns the error for an invalid field of the struct T.
func notAllowed[T any](field string) error {
	return Invalid(field, allowed(reflect.TypeFor[T](), field))
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

const maxNameLength = 256

// isName reports whether s has 1 to 256 characters and no control character.
func isName(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= maxNameLength && !strings.ContainsFunc(s, unicode.IsControl)
}

// isObject reports whether v is null, or an object that contains no binary.
func isObject(v socketio.Value) bool {
	return v.IsNull() || v.JSON[0] == '{' && !v.IsBinary()
}

// allowed returns the error text for a field of the struct: its tag allowed, by default that for ids.
func allowed(t reflect.Type, name string) string {
	if i := slices.Index(namesOf(t), name); i >= 0 {
		if words, ok := t.Field(i).Tag.Lookup("allowed"); ok {
			return words
		}
	}
	return ident.Allowed
}

// eventFields are the fields of a custom event that a backend sends.
type eventFields struct {
	Event string         `json:"event" allowed:"a string of 1 to 256 characters without control characters"`
	Data  socketio.Value `json:"data"`
}

// ParseEvent decodes and validates {event, data}, a custom event that a backend
// sends. Errors are [*Error].
func ParseEvent(v socketio.Value) (event string, data socketio.Value, err error) {
	var in eventFields
	if err := DecodeObject(v, &in); err != nil {
		return "", data, err
	}
	if !isName(in.Event) {
		return "", data, notAllowed[eventFields]("event")
	}
	return in.Event, in.Data, nil
}
