package compat_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "record the transcripts anew from Node's server")

// TestNode shows that the transcripts are what Node does.
func TestNode(t *testing.T) {
	node := startNode(t)
	replayAll(t, target{start: node.serve})
}

// nodeServer is one node process that serves every transcript, each on a port of its own.
type nodeServer struct {
	mu  sync.Mutex // held from a question to its answer
	in  io.Writer
	out *bufio.Reader
}

func startNode(t *testing.T) *nodeServer {
	if _, err := os.Stat("../node_modules/socket.io"); err != nil {
		t.Skip("node_modules is missing: npm ci")
	}
	cmd := exec.Command("node", "record/server.js")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("node is missing: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	return &nodeServer{in: in, out: bufio.NewReader(out)}
}

func (n *nodeServer) serve(t *testing.T, kind, options string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	line, err := json.Marshal(map[string]any{"kind": kind, "options": json.RawMessage(options)})
	if err != nil {
		t.Fatalf("options: %v", err)
	}
	if _, err := n.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("node: %v", err)
	}
	port, err := n.out.ReadString('\n')
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}
