package config

import (
	"fmt"
	"io"
)

// hidden replaces a secret in output.
const hidden = "[hidden]"

// Secret is a text that is hidden however it is printed or encoded. The zero value is
// unset. A Secret is immutable and cannot be compared with ==.
type Secret struct {
	_ [0]func() // not comparable
	// A pointer, because package fmt prints the fields of a value, without calling its
	// methods, if a verb does not fit (%p) or the value is in an unexported field.
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

// IsSet reports whether the secret is set.
func (s Secret) IsSet() bool { return s.text != nil }

// String returns "[hidden]", or "" if the Secret is unset.
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return hidden
}

// Format implements [fmt.Formatter]: it writes String for every verb, because package
// fmt would print the text for verbs that do not fit.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler]: it returns String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
