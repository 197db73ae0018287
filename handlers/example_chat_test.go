package handlers_test

import (
	"context"
	"fmt"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// A chat with rooms that saves each message before it publishes it.
func Example_roomChat() {
	type message struct {
		ID   int      `json:"id"`
		User ident.ID `json:"userId"`
		Text string   `json:"message"`
	}
	saved := 0
	save := func(_ context.Context, m *message) error { // the program's database
		saved++
		m.ID = saved
		return nil
	}

	svc, io := newService()
	type request struct {
		Room ident.ID `json:"roomId"`
		Text string   `json:"message"`
	}
	io.Namespace("/").Handle("chat-message", socketio.Do(func(ctx context.Context, s *socketio.Socket, in request) error {
		user, _ := svc.UserID(s.ID())
		if !svc.IsUserInRoom(user, in.Room) {
			return &realtime.Error{Code: realtime.CodeUnauthorized, Message: "Not in this room"}
		}
		m := &message{User: user, Text: in.Text}
		if err := save(ctx, m); err != nil {
			return err
		}
		_, err := svc.PublishUpdate(ctx, &realtime.Update{RoomID: in.Room, Type: "CHAT_MESSAGE", Payload: m, From: user})
		return err
	}))

	site := serve(io, io)
	defer site.stop()
	ana, ben := site.client("ana"), site.client("ben")
	ana.Ask("join-room", "order-1")
	hello := map[string]string{"roomId": "order-1", "message": "Hello"}
	fmt.Println(ben.Ask("chat-message", hello).Arg(0))
	ben.Ask("join-room", "order-1")
	ben.Emit("chat-message", hello)
	show(ana.Next("update"))
	// Output:
	// {"success":false,"error":{"code":"unauthorized","message":"Not in this room"}}
	// update {"roomId":"order-1","type":"CHAT_MESSAGE","payload":{"id":1,"userId":"ben","message":"Hello"},"from":"ben"}
}
