package handlers_test

import (
	"context"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// When the kitchen completes an order, all devices of its customer get a
// notification.
func Example_orderNotifications() {
	svc, io := newService()
	customerOf := map[int]ident.ID{7: ident.Of("ana")}
	io.Namespace("/").Handle("order-completed", socketio.Do(func(ctx context.Context, _ *socketio.Socket, order int) error {
		_, err := svc.PublishNotification(ctx, &realtime.Notification{
			TargetUserID: customerOf[order],
			Type:         "SUCCESS",
			Title:        "Order completed",
			Message:      "Your order is ready",
			Payload: struct {
				OrderID     int       `json:"orderId"`
				Ready       bool      `json:"readyForPickup"`
				CompletedAt time.Time `json:"completedAt"`
			}{order, true, time.Now()},
		})
		return err
	}))

	site := serve(io, io)
	defer site.stop()
	phone, laptop, kitchen := site.client("ana"), site.client("ana"), site.client("kitchen")
	kitchen.Emit("order-completed", 7)
	show(phone.Next("notification"))
	show(laptop.Next("notification"))
	// Output:
	// notification {"type":"SUCCESS","title":"Order completed","message":"Your order is ready","payload":{"orderId":7,"readyForPickup":true},"priority":"normal","from":null}
	// notification {"type":"SUCCESS","title":"Order completed","message":"Your order is ready","payload":{"orderId":7,"readyForPickup":true},"priority":"normal","from":null}
}
