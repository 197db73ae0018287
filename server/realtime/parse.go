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

// ParseRoom decodes a room as clients name it: {roomId} or the bare id.
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

// DecodeObject decodes an argument that must be an object into what into points
// to, a struct: the members that its fields' tags name exactly, of a repeated name
// the last. Others, which may be many, are passed over, and a [socketio.Value] is not
// looked into. Its errors are [*Error]: of a field that has the wrong type they say
// what its tag `allowed` says, and without one what an id may be.
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

// namesOf returns the names in JSON of a struct's fields, which all have one.
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

// structs has what namesOf has found, by type.
var structs sync.Map

// notAllowed is the error of a field of the struct T.
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

// isObject reports whether v is an object without binary in it, or null.
func isObject(v socketio.Value) bool {
	return v.IsNull() || v.JSON[0] == '{' && !v.IsBinary()
}

// allowed returns what a field of the struct may be, for an error about it: its tag, or what an id may be.
func allowed(t reflect.Type, name string) string {
	if i := slices.Index(namesOf(t), name); i >= 0 {
		if words, ok := t.Field(i).Tag.Lookup("allowed"); ok {
			return words
		}
	}
	return ident.Allowed
}

// eventFields are the fields of an event of a backend's own.
type eventFields struct {
	Event string         `json:"event" allowed:"a string of 1 to 256 characters without control characters"`
	Data  socketio.Value `json:"data"`
}

// ParseEvent decodes and checks {event, data}, with which a backend sends an
// event of its own.
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
