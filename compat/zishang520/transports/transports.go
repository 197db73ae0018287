// Package transports has the names of the transports, as in
// github.com/zishang520/engine.io/v2/transports.
package transports

// The names of the transports.
const (
	POLLING   = "polling"
	WEBSOCKET = "websocket"
)

// Transport is the current transport of a session.
type Transport interface {
	// Name returns "polling" or "websocket".
	Name() string
}
