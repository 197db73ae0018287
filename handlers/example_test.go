package handlers_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/puente-io/puente/handlers"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// A program embeds the service in its own HTTP server and adds an event to the
// documented ones.
func Example() {
	io := socketio.New(socketio.Options{})
	verifier, err := auth.New(auth.Options{Secret: []byte(secret)})
	if err != nil {
		log.Fatal(err)
	}
	svc, err := realtime.New(realtime.Options{Namespace: io.Namespace("/"), Verifier: verifier})
	if err != nil {
		log.Fatal(err)
	}
	handlers.Register(svc)
	svc.Namespace().Handle("whoami", socketio.Func(func(_ context.Context, s *socketio.Socket, _ any) (string, error) {
		user, _ := svc.UserID(s.ID())
		return "You are " + user.Key(), nil
	}))
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	// http.ListenAndServe(":3001", mux)

	site := serve(io, mux)
	defer site.stop()
	ana := site.client("ana")
	fmt.Println(ana.Ask("whoami").Arg(0))
	// Output: "You are ana"
}
