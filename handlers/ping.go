package handlers

import (
	"context"
	"time"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// ping takes nothing and answers {timestamp}, as the event pong too. It works
// without a user.
func ping(context.Context, *socketio.Socket, socketio.Value) (realtime.Pong, error) {
	return realtime.Pong{Timestamp: time.Now()}, nil
}
