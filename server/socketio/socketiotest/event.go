package socketiotest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Event is an event from the server.
type Event struct {
	Name string
	// Args are the arguments' JSON, in which placeholders stand for
	// attachments.
	Args        []json.RawMessage
	Attachments [][]byte

	id string // of the acknowledgement, "" if none is requested
}

// Decode decodes argument number i, counted from 0.
func (e Event) Decode(i int, into any) error {
	if i >= len(e.Args) {
		return fmt.Errorf("socketiotest: %q has %d arguments", e.Name, len(e.Args))
	}
	return json.Unmarshal(e.Args[i], into)
}

// String returns the event in the form of a Go call, such as said("hello", 42).
// Attachments are placeholders.
func (e Event) String() string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = string(a)
	}
	return e.Name + "(" + strings.Join(args, ", ") + ")"
}
