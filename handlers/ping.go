package handlers

import (
	"context"
	"time"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// ping takes no argument and replies {timestamp}; the event pong is sent as well. It
// works before authentication.
func ping(context.Context, *socketio.Socket, socketio.Value) (realtime.Pong, error) {
	return realtime.Pong{Timestamp: time.Now()}, nil
}
