package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
)

// An HTTP route of the program publishes stock changes to the room of a branch.
func Example_inventoryUpdates() {
	svc, io := newService()
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.HandleFunc("POST /api/inventory/{branch}", func(w http.ResponseWriter, r *http.Request) {
		var stock struct {
			Item     string `json:"item"`
			Quantity int    `json:"quantity"`
		}
		room, err := ident.String("branch-" + r.PathValue("branch"))
		if err != nil || json.NewDecoder(r.Body).Decode(&stock) != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		if _, err := svc.PublishUpdate(r.Context(), &realtime.Update{RoomID: room, Type: "INVENTORY_UPDATE", Payload: stock}); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})

	site := serve(io, mux)
	defer site.stop()
	ana := site.client("ana")
	ana.Ask("join-room", "branch-1")
	res, err := http.Post(site.URL+"/api/inventory/1", "application/json", strings.NewReader(`{"item":"tea","quantity":3}`))
	must(err)
	res.Body.Close()
	fmt.Println(res.StatusCode)
	show(ana.Next("update"))
	// Output:
	// 200
	// update {"roomId":"branch-1","type":"INVENTORY_UPDATE","payload":{"item":"tea","quantity":3},"from":null}
}
