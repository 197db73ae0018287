package engineio_test

import (
	"log"
	"net/http"

	"github.com/puente-io/puente/server/engineio"
)

// A server that sends every message back.
func Example() {
	echo := engineio.HandlerFuncs{
		Message: func(s *engineio.Session, data []byte, binary bool) {
			if binary {
				s.Send(engineio.BinaryFrame(data))
			} else {
				s.Send(engineio.TextFrame(data))
			}
		},
		Close: func(s *engineio.Session, reason engineio.Reason, _ error) {
			log.Printf("%s: %s", s.ID(), reason)
		},
	}
	srv := engineio.New(engineio.Options{}, func(*engineio.Session, *http.Request) engineio.Handler { return echo })
	http.Handle("/engine.io/", srv)
	hs := engineio.NewHTTPServer(http.DefaultServeMux)
	hs.Addr = "localhost:3000"
	log.Fatal(hs.ListenAndServe())
}
