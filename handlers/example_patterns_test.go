package handlers_test

import (
	"context"
	"fmt"

	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// Request and response: the handler's result is the acknowledgement.
func Example_requestResponse() {
	_, io := newService()
	type order struct {
		Status  string `json:"status"`
		Minutes int    `json:"estimatedTime"`
	}
	orders := map[string]order{"A7": {"cooking", 12}}
	io.Namespace("/").Handle("get-order-status", socketio.Func(func(_ context.Context, _ *socketio.Socket, id string) (order, error) {
		o, ok := orders[id]
		if !ok {
			return o, realtime.Invalid("order", "an existing order")
		}
		return o, nil
	}))

	site := serve(io, io)
	defer site.stop()
	ana := site.client("ana")
	fmt.Println(ana.Ask("get-order-status", "A7").Arg(0))
	fmt.Println(ana.Ask("get-order-status", "B1").Arg(0))
	// Output:
	// {"status":"cooking","estimatedTime":12}
	// {"success":false,"error":{"code":"invalid","message":"order must be an existing order"}}
}

// Publisher and subscribers: all members of a room get its updates. An admin may
// publish without being a member.
func Example_publisherSubscriber() {
	_, io := newService()

	site := serve(io, io)
	defer site.stop()
	ana, ben := site.client("ana"), site.client("ben")
	ana.Ask("join-room", "orders")
	ben.Ask("join-room", "orders")
	root := site.client("root", "admin")
	root.Emit("publish-update", map[string]any{"roomId": "orders", "type": "ORDER_CREATED", "payload": map[string]int{"id": 7}})
	show(ana.Next("update"))
	show(ben.Next("update"))
	// Output:
	// update {"roomId":"orders","type":"ORDER_CREATED","payload":{"id":7},"from":"root"}
	// update {"roomId":"orders","type":"ORDER_CREATED","payload":{"id":7},"from":"root"}
}
