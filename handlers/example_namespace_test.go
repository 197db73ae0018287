package handlers_test

import (
	"context"
	"fmt"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// A namespace of the program beside the service's, for the same users.
func Example_ownNamespace() {
	_, io := newService()
	verifier, err := auth.New(auth.Options{Secret: []byte(secret)})
	must(err)
	kitchen := io.Namespace("/kitchen")
	kitchen.Use(realtime.Authenticate(verifier)) // reads auth.token
	kitchen.Handle("done", socketio.Func(func(_ context.Context, s *socketio.Socket, order int) (string, error) {
		claims, ok := realtime.ClaimsOf(s)
		if !ok || !claims.HasRole("cook") {
			return "", &socketio.Error{Code: "unauthorized", Message: "Only cooks complete orders"}
		}
		return fmt.Sprintf("%s has completed order %d", claims.UserID, order), nil
	}))

	site := serve(io, io)
	defer site.stop()
	token, err := auth.Sign([]byte(secret), auth.Grant{UserID: ident.Of("ana"), Roles: []string{"cook"}})
	must(err)
	ana := raw.Connect(site, site.URL, raw.Options{Namespace: "/kitchen", Auth: map[string]string{"token": token}})
	fmt.Println(ana.Ask("done", 7).Arg(0))
	_, refusal := raw.Try(site, site.URL, raw.Options{Namespace: "/kitchen"})
	fmt.Println(refusal)
	// Output:
	// "ana has completed order 7"
	// {"message":"Authentication failed","data":{"code":"token_missing"}}
}
