package realtime

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"

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

// parse decodes an argument into a struct and checks it by the rules in the
// struct's tags.
func parse(v socketio.Value, into any) error {
	if err := DecodeObject(v, into); err != nil {
		return err
	}
	return check(into)
}

// DecodeObject decodes an argument that must be an object into what into points
// to, a struct: the members that its fields' tags name exactly, of a repeated name
// the last. Others, which may be many, are passed over, and a [socketio.Value] is not
// looked into. Its errors are [*Error]: of a field that has the wrong type they say
// what is allowed.
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

// check checks a struct by the rules in its tags and tells of the first field
// that breaks one.
func check(v any) error {
	err := rules().Struct(v)
	var failed validator.ValidationErrors
	if errors.As(err, &failed) {
		return Invalid(failed[0].Field(), allowed(reflect.TypeOf(v).Elem(), failed[0].Field()))
	}
	return err
}

// notAllowed is the error of a field of the struct T.
func notAllowed[T any](field string) error {
	return Invalid(field, allowed(reflect.TypeFor[T](), field))
}

// rules is the validator, made once: it caches what it learns of types.
var rules = sync.OnceValue(func() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	register := func(tag string, ok func(reflect.Value) bool) {
		if err := v.RegisterValidation(tag, func(f validator.FieldLevel) bool { return ok(f.Field()) }, true); err != nil {
			panic(err) // the tag's name is wrong, which is a mistake in this file
		}
	}
	register("name", func(f reflect.Value) bool { return isName(f.String()) })
	register("object", func(f reflect.Value) bool { return f.Bool() })
	register("id", func(f reflect.Value) bool { return f.Bool() })
	// Both are structs, which the validator would walk into: it gets what there
	// is to know of them instead.
	v.RegisterCustomTypeFunc(func(f reflect.Value) any {
		id, _ := f.Interface().(ident.ID)
		return !id.IsZero()
	}, ident.ID{})
	v.RegisterCustomTypeFunc(func(f reflect.Value) any {
		val, _ := f.Interface().(socketio.Value)
		return val.IsNull() || val.JSON[0] == '{' && !val.IsBinary()
	}, socketio.Value{})
	return v
})

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

const maxNameLength = 256

// isName reports whether s has 1 to 256 characters and no control character.
func isName(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= maxNameLength && !strings.ContainsFunc(s, unicode.IsControl)
}

// allowed says what the rule of a struct's field allows.
func allowed(t reflect.Type, field string) string {
	for i := range t.NumField() {
		f := t.Field(i)
		if jsonName(f) != field {
			continue
		}
		rule := f.Tag.Get("validate")
		switch {
		case strings.HasPrefix(rule, "oneof="):
			return "one of " + strings.ReplaceAll(strings.TrimPrefix(rule, "oneof="), " ", ", ")
		case rule == "name":
			return "a string of 1 to 256 characters without control characters"
		case rule == "object":
			return "an object"
		case rule == "min=1,max=100":
			return "a string of 1 to 100 characters"
		case rule == "max=500":
			return "a string of up to 500 characters"
		}
	}
	return ident.Allowed
}

// ParseEvent decodes and checks {event, data}, with which a backend sends an
// event of its own.
func ParseEvent(v socketio.Value) (event string, data socketio.Value, err error) {
	in := struct {
		Event string         `json:"event" validate:"name"`
		Data  socketio.Value `json:"data"`
	}{}
	if err := parse(v, &in); err != nil {
		return "", data, err
	}
	return in.Event, in.Data, nil
}
