package compat_test

import (
	"encoding/json"
	"flag"
	"testing"

	"github.com/puente-io/puente/compat/nodetest"
)

var update = flag.Bool("update", false, "record the answers of Node's server in the transcripts")

// TestNode replays the transcripts against Node.
func TestNode(t *testing.T) {
	node := startNode(t)
	replayAll(t, target{start: node.serve})
}

// nodeServer is a node process that serves every transcript, each on its own port.
type nodeServer struct{ *nodetest.Process }

func startNode(t *testing.T) nodeServer {
	return nodeServer{nodetest.Start(t, "..", "record/server.js", "socket.io")}
}

func (n nodeServer) serve(t *testing.T, kind, options string) string {
	return "127.0.0.1:" + n.Ask(t, map[string]any{"kind": kind, "options": json.RawMessage(options)})
}
