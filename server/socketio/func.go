package socketio

import "context"

// Func returns a [Handler] that decodes the event's first argument, calls f, and
// acknowledges the event with the result. The result is dropped if the client
// did not ask for an acknowledgement. If the argument does not decode, the error
// wraps [ErrDecode], which the client gets as "invalid". If there is none, as in
// events without data, f gets the decoding of null: usually the zero value.
// Further arguments are ignored, as by a JavaScript function.
func Func[In, Out any](f func(ctx context.Context, s *Socket, in In) (Out, error)) Handler {
	return HandlerFunc(func(ctx context.Context, s *Socket, e *Event) error {
		var in In
		if err := e.Arg(0).Decode(&in); err != nil {
			return err
		}
		out, err := f(ctx, s, in)
		return e.finish(err, out)
	})
}

// Func2 is Func for a function of two arguments. If one of them is missing, the
// error wraps [ErrDecode]; more than two are ignored.
func Func2[A, B, Out any](f func(ctx context.Context, s *Socket, a A, b B) (Out, error)) Handler {
	return HandlerFunc(func(ctx context.Context, s *Socket, e *Event) error {
		var a A
		var b B
		if err := e.Decode(&a, &b); err != nil {
			return err
		}
		out, err := f(ctx, s, a, b)
		return e.finish(err, out)
	})
}

// Func3 is Func2 for a function of three arguments.
func Func3[A, B, C, Out any](f func(ctx context.Context, s *Socket, a A, b B, c C) (Out, error)) Handler {
	return HandlerFunc(func(ctx context.Context, s *Socket, e *Event) error {
		var a A
		var b B
		var c C
		if err := e.Decode(&a, &b, &c); err != nil {
			return err
		}
		out, err := f(ctx, s, a, b, c)
		return e.finish(err, out)
	})
}

// Do is Func for a function without a result; the acknowledgement is empty.
func Do[In any](f func(ctx context.Context, s *Socket, in In) error) Handler {
	return HandlerFunc(func(ctx context.Context, s *Socket, e *Event) error {
		var in In
		if err := e.Arg(0).Decode(&in); err != nil {
			return err
		}
		return e.finish(f(ctx, s, in))
	})
}

// Do2 is Func2 for a function without a result.
func Do2[A, B any](f func(ctx context.Context, s *Socket, a A, b B) error) Handler {
	return HandlerFunc(func(ctx context.Context, s *Socket, e *Event) error {
		var a A
		var b B
		if err := e.Decode(&a, &b); err != nil {
			return err
		}
		return e.finish(f(ctx, s, a, b))
	})
}

// Do3 is Func3 for a function without a result.
func Do3[A, B, C any](f func(ctx context.Context, s *Socket, a A, b B, c C) error) Handler {
	return HandlerFunc(func(ctx context.Context, s *Socket, e *Event) error {
		var a A
		var b B
		var c C
		if err := e.Decode(&a, &b, &c); err != nil {
			return err
		}
		return e.finish(f(ctx, s, a, b, c))
	})
}

// On sets the handler of an event to [Func] of f. h is a [*Namespace], a
// [*Pattern] or a [*Socket]. It panics in the cases in which their Handle does.
func On[In, Out any](h interface{ Handle(event string, h Handler) }, event string, f func(ctx context.Context, s *Socket, in In) (Out, error)) {
	h.Handle(event, Func(f))
}

// finish acknowledges the event with what a function has returned, unless that is an
// error.
func (e *Event) finish(err error, result ...any) error {
	if err == nil {
		e.Return(result...)
	}
	return err
}
