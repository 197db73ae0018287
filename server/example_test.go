package server_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// A program embeds the whole node and adds an event and a route. Ending the context stops
// the node in order; with signal.NotifyContext a signal does.
func Example() {
	cfg := config.Default() // or config.FromEnv()
	cfg.HTTPHost, cfg.HTTPPort = "127.0.0.1", 0
	cfg.JWTSecret = config.NewSecret("a secret of the example, long enough")
	node, err := server.New(cfg, io.Discard)
	if err != nil {
		log.Fatal(err)
	}
	node.Service().Namespace().Handle("order", socketio.Func(func(ctx context.Context, s *socketio.Socket, dish string) (string, error) {
		claims, _ := realtime.ClaimsOf(s)
		return dish + " for " + claims.UserID.Key(), nil
	}))
	node.Handle("GET /menu/{dish}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.ToUpper(r.PathValue("dish")))
	}))

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- node.Run(ctx) }()

	res, err := http.Get("http://" + node.Addr().String() + "/menu/soup")
	if err != nil {
		log.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(string(text))
	stop()
	fmt.Println(<-ended)
	// Output:
	// SOUP
	// <nil>
}
