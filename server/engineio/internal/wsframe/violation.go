package wsframe

import "errors"

// Errors that a [Violation] may wrap, beside those of the framing library.
var (
	ErrTooLarge  = errors.New("websocket: message too large")
	ErrFragments = errors.New("websocket: too many fragments in a message")
	ErrNotText   = errors.New("websocket: text message is not valid UTF-8")
)

// Violation is an error that ends the connection: what the client did wrong, and
// the status of the close frame that answers it.
type Violation struct {
	Code CloseCode
	Err  error
}

func (v *Violation) Error() string { return v.Err.Error() }

// Unwrap returns what the client did wrong.
func (v *Violation) Unwrap() error { return v.Err }
