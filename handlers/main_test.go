package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/handlers"
	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

const secret = "a secret of the examples, long enough"

// newService creates the service for the examples. Example shows the same in full.
func newService() (*realtime.Service, *socketio.Server) {
	io := socketio.New(socketio.Options{})
	verifier, err := auth.New(auth.Options{Secret: []byte(secret)})
	must(err)
	svc, err := realtime.New(realtime.Options{Namespace: io.Namespace("/"), Verifier: verifier})
	must(err)
	handlers.Register(svc)
	return svc, io
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// site is an HTTP server with clients, for an example.
type site struct {
	*httptest.Server
	io       *socketio.Server
	cleanups []func()
}

// serve starts a site for h, which is io or routes to it.
func serve(io *socketio.Server, h http.Handler) *site {
	return &site{Server: httptest.NewServer(h), io: io}
}

// client connects a client of the user, with these roles in its token.
func (s *site) client(user string, roles ...string) *raw.Client {
	token, err := auth.Sign([]byte(secret), auth.Grant{UserID: ident.Of(user), Roles: roles})
	must(err)
	c := raw.Connect(s, s.URL, raw.Options{Auth: map[string]string{"token": token}})
	c.Next("authenticated")
	return c
}

func (s *site) stop() {
	for _, f := range s.cleanups {
		f()
	}
	s.Close()
	must(s.io.Close(context.Background()))
}

// Helper, Fatalf and Cleanup are the methods of testing.TB that raw.Client needs.
func (s *site) Helper()                           {}
func (s *site) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (s *site) Cleanup(f func())                  { s.cleanups = append(s.cleanups, f) }

var moment = regexp.MustCompile(`,?"[^"]*":"\d{4}-\d\d-\d\dT[^"]*"`)

// show prints an event's name and first argument without timestamps.
func show(e raw.Event) { fmt.Println(e.Name, moment.ReplaceAllString(e.Arg(0), "")) }
