// Package events has the event emitter of package types by the names of
// github.com/zishang520/engine.io/v2/events.
package events

import "github.com/puente-io/puente/compat/zishang520/types"

// Version and DefaultMaxListeners are those of package types.
const (
	Version             = types.EventVersion
	DefaultMaxListeners = types.EventDefaultMaxListeners
)

// The types of package types.
type (
	EventName    = types.EventName
	Listener     = types.Listener
	Events       = types.Events
	EventEmitter = types.EventEmitter
)

// New returns an emitter without listeners.
func New() EventEmitter { return types.NewEventEmitter() }
