package cluster_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// node is the process of peer.mjs.
type node struct {
	in      io.Writer
	out     *bufio.Reader
	process *os.Process
	killed  bool
}

// pause stops the process without ending it.
func (n *node) pause() { n.process.Signal(syscall.SIGSTOP) }

// kill ends the process as kill -9 does, without a word to Redis.
func (n *node) kill() {
	n.killed = true
	n.process.Kill()
}

func startNode(t *testing.T) *node {
	t.Helper()
	if _, err := os.Stat("../../node_modules/@socket.io/redis-adapter"); err != nil {
		t.Skip("node_modules is missing: npm ci")
	}
	cmd := exec.Command("node", "peer.mjs")
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
	n := &node{in: in, out: bufio.NewReader(out), process: cmd.Process}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && !n.killed {
			t.Errorf("node: %v", err)
		}
	})
	return n
}

// command is one line to peer.mjs, which says what the fields mean.
type command struct {
	Do      string            `json:"do"`
	Server  string            `json:"server,omitempty"`
	Name    string            `json:"name,omitempty"`
	Names   []string          `json:"names,omitempty"`
	URL     string            `json:"url,omitempty"`
	Token   string            `json:"token,omitempty"`
	Redis   string            `json:"redis,omitempty"`
	Key     string            `json:"key,omitempty"`
	Adapter string            `json:"adapter,omitempty"`
	NSP     string            `json:"nsp,omitempty"`
	Rooms   []string          `json:"rooms,omitempty"`
	Except  []string          `json:"except,omitempty"`
	Flags   []string          `json:"flags,omitempty"`
	Event   string            `json:"event,omitempty"`
	Args    []json.RawMessage `json:"args,omitempty"`
	N       int               `json:"n,omitempty"`
	Timeout int               `json:"timeout,omitempty"` // ms
}

// do has a command done and returns the JSON of its result.
func (n *node) do(t *testing.T, c command) string {
	t.Helper()
	line, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("node: %v", err)
	}
	text, err := n.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var answer struct {
		Result json.RawMessage
		Error  string
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("node: %s: %v", text, err)
	}
	if answer.Error != "" {
		t.Fatalf("%s: %s", c.Do, answer.Error)
	}
	return string(answer.Result)
}
