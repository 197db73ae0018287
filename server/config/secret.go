package config

import (
	"fmt"
	"io"
)

// hidden stands where a secret is not shown.
const hidden = "[hidden]"

// Secret is a text that no way of printing or encoding shows. The zero value is an
// unset one. It is immutable. Secrets do not compare with ==.
type Secret struct {
	_ [0]func() // not comparable
	// A pointer, because package fmt shows the fields of a value without asking its
	// methods where a verb is wrong (%p) or the value is in an unexported field.
	text *string
}

// NewSecret returns a Secret that holds text; empty is unset.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet reports whether there is a text.
func (s Secret) IsSet() bool { return s.text != nil }

// String returns "[hidden]", or "" where it is unset.
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return hidden
}

// Format implements [fmt.Formatter] by String for every verb, since package fmt
// would show the text for those that do not fit.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler] by String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
