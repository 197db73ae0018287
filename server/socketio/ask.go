package socketio

import "context"

// Ask sends an event to one client, waits for the acknowledgement and decodes
// its first argument, null if there is none: see [Socket.EmitWithAck]. To limit
// the wait pass s.Timeout(d) instead of s.
func Ask[Out any, To interface {
	*Socket | SocketOperator
	EmitWithAck(ctx context.Context, event string, args ...any) (Args, error)
}](ctx context.Context, to To, event string, args ...any) (out Out, err error) {
	answer, err := to.EmitWithAck(ctx, event, args...)
	if err != nil {
		return out, err
	}
	err = answer.Arg(0).Decode(&out)
	return out, err
}

// AskAll sends an event to the selected sockets, waits for their acknowledgements
// and decodes the first argument of each, null if there is none: see
// [Operator.EmitWithAck], with the same order and errors. An answer that does not
// decode has Err set.
func AskAll[Out any](ctx context.Context, to Operator, event string, args ...any) ([]Answer[Out], error) {
	values, err := to.EmitWithAck(ctx, event, args...)
	answers := make([]Answer[Out], len(values))
	for i, v := range values {
		answers[i].Err = v.Decode(&answers[i].Value)
	}
	return answers, err
}

// Answer is the answer of one client.
type Answer[T any] struct {
	Value T
	// Err, if not nil, wraps [ErrDecode]: the answer does not decode to T.
	Err error
}
