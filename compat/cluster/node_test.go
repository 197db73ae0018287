package cluster_test

import (
	"encoding/json"
	"testing"

	"github.com/puente-io/puente/compat/nodetest"
)

// node is the process of peer.mjs.
type node struct{ *nodetest.Process }

func startNode(t *testing.T) *node {
	t.Helper()
	return &node{nodetest.Start(t, "../..", "peer.mjs", "@socket.io/redis-adapter")}
}

// command is a line to peer.mjs, which defines the fields.
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

// do runs a command in peer.mjs and returns its result as JSON.
func (n *node) do(t *testing.T, c command) string {
	t.Helper()
	text := n.Ask(t, c)
	var answer struct {
		Result json.RawMessage
		Error  string
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("node: %s: %v", text, err)
	}
	if answer.Error != "" {
		t.Fatalf("%s: %s", c.Do, answer.Error)
	}
	return string(answer.Result)
}
