package cluster_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/puente-io/puente/server/cluster"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/realtime"
	"github.com/puente-io/puente/server/socketio"
)

// A program that embeds the service: its users are those of all servers.
type server struct {
	cluster *cluster.Cluster
	io      *socketio.Server
	service *realtime.Service
}

func newServer(c *cluster.Cluster) (*server, error) {
	io := socketio.New(socketio.Options{Adapter: c.Adapter()})
	service, err := realtime.New(realtime.Options{Namespace: io.Namespace("/"), Cluster: c})
	return &server{c, io, service}, err
}

// stop closes the server before its connection to the others.
func (s *server) stop(ctx context.Context) {
	s.io.Close(ctx)
	s.cluster.Close(ctx)
}

// Two servers of one cluster. The example connects them in memory; in production each
// opens a connection to Redis:
//
//	c, err := cluster.Open(cluster.Options{URL: "redis://127.0.0.1:6379"})
func Example() {
	memory := cluster.NewMemory()
	a, err := newServer(memory.Node())
	if err != nil {
		log.Fatal(err)
	}
	b, err := newServer(memory.Node())
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	defer a.stop(ctx)
	defer b.stop(ctx)
	if err := b.cluster.Ready(ctx); err != nil { // after the server was made
		log.Fatal(err)
	}

	b.io.Namespace("/").HandleServerSide("hello", func(_ context.Context, args socketio.Args) (any, error) {
		return "hello to you", nil
	})
	answers, err := a.io.Namespace("/").ServerSideEmitWithAck(ctx, "hello")
	var text string
	if err == nil {
		err = answers.Decode(&text)
	}
	fmt.Println(text, err)
	a.cluster.Presence().Connect("device", ident.Of("ana"))
	fmt.Println("b sees ana:", b.service.IsUserConnected(ident.Of("ana")))
	fmt.Println("degraded:", b.service.HealthCheck().Degraded != nil)
	// Output:
	// hello to you <nil>
	// b sees ana: true
	// degraded: false
}
