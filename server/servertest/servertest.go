// Package servertest runs whole nodes in tests.
package servertest

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
)

// Node is a node that runs until the test ends.
type Node struct {
	*server.Server
	// URL is http://127.0.0.1 with the node's port.
	URL string

	stop func()
}

// Start runs a node with these settings, "NAME=value"; of a repeated one the last counts.
// Defaults: an address of this machine, and those of the command puente. The log is
// dropped. The test fails if the node cannot start or does not stop in order.
func Start(t testing.TB, settings ...string) *Node {
	t.Helper()
	vars := map[string]string{"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0"}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		vars[name] = value
	}
	cmd, err := config.Parse(nil, func(name string) string { return vars[name] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(cmd.Config, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	n := &Node{Server: srv, URL: "http://" + srv.Addr().String()}
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("node: %v", err)
		}
	})
	t.Cleanup(n.stop)
	return n
}

// Stop stops the node in order and waits for that. It may be called again.
func (n *Node) Stop() { n.stop() }
