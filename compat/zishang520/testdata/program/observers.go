package main

import (
	"errors"
	"sync"

	"github.com/zishang520/socket.io/v2/socket"
)

// serveObservers serves what sees events on their way: middleware, OnAny and Once.
func serveObservers(client *socket.Socket) {
	client.Use(func(event []any, next func(error)) {
		switch event[0] {
		case "forbidden":
			next(errors.New("forbidden event"))
		case "swallowed": // next is not called
		default:
			next(nil)
		}
	})
	client.On("error", func(errs ...any) { client.Emit("problem", errs[0].(error).Error()) })
	client.On("forbidden", func(...any) { client.Emit("said", "must not be reached") })
	client.On("swallowed", func(...any) { client.Emit("said", "must not be reached") })

	var mu sync.Mutex
	var came, went []any
	in := func(event ...any) {
		mu.Lock()
		defer mu.Unlock()
		came = append(came, event[0])
	}
	out := func(event ...any) {
		mu.Lock()
		defer mu.Unlock()
		went = append(went, event[0])
	}
	client.On("observe", func(args ...any) {
		_, ack := acked(args)
		client.OnAny(in)
		client.OnAnyOutgoing(out)
		ack()
	})
	client.On("observed", func(args ...any) {
		_, ack := acked(args)
		client.OffAny(in)
		client.OffAnyOutgoing(nil)
		mu.Lock()
		defer mu.Unlock()
		ack(came, went)
	})

	client.Once("once", func(args ...any) { client.Emit("said", "once") })
	twice := func(args ...any) { client.Emit("said", "again") }
	client.On("on-off", twice)
	client.On("off", func(args ...any) {
		_, ack := acked(args)
		ack(client.RemoveListener("on-off", twice), len(client.Listeners("on-off")))
	})
}
