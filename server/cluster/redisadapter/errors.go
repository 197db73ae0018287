package redisadapter

import (
	"errors"

	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/socketio/adapter"
)

// busError is an error of the bus that is also an error of package adapter.
type busError struct{ adapter, bus error }

func (e *busError) Error() string   { return e.bus.Error() }
func (e *busError) Unwrap() []error { return []error{e.adapter, e.bus} }

// adapterError returns the error of package adapter for one of the bus.
func adapterError(err error) error {
	switch {
	case errors.Is(err, redisbus.ErrClosed):
		return adapter.ErrClosed
	case errors.Is(err, redisbus.ErrTimeout):
		return adapter.ErrTimeout
	case errors.Is(err, redisbus.ErrAway):
		return &busError{adapter.ErrAway, err}
	case errors.Is(err, redisbus.ErrUnavailable):
		return &busError{adapter.ErrUnavailable, err}
	}
	return err
}

// outcome passes the outcome of a message to an [adapter.Acceptance].
type outcome adapter.Acceptance

func (o *outcome) Resolve(err error) { (*adapter.Acceptance)(o).Resolve(adapterError(err)) }
