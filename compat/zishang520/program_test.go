package zishang520_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/puente-io/puente/server/cluster/redistest"
)

const programDir = "testdata/program"

// TestProgramOnNode tests the test of the program: socket.io on Node passes it.
func TestProgramOnNode(t *testing.T) {
	runProgram(t, startNode)
}

// TestProgram tests that a program written for the original behaves like the same
// program on Node once its import lines have been changed.
func TestProgram(t *testing.T) {
	exe := newModule(t, sources(t, programDir), "").build(t, raceFlag)
	startMoved := func(t *testing.T, env ...string) server { return start(t, "PORT", env, exe) }
	runProgram(t, startMoved)
	t.Run("beside Node", func(t *testing.T) {
		env := []string{"REDIS_URL=" + redistest.Start(t).URL()}
		node, moved := startNode(t, env...), startMoved(t, env...)
		script := filepath.Join(programDir, "cluster.test.mjs")
		runNode(t, script, "SERVER_URL="+node.url, "OTHER_URL="+moved.url)
		runNode(t, script, "SERVER_URL="+moved.url, "OTHER_URL="+node.url)
	})
}

func startNode(t *testing.T, env ...string) server {
	t.Helper()
	if _, err := os.Stat(filepath.Join(repo, "node_modules", "socket.io")); err != nil {
		t.Skip("node_modules is missing: npm ci")
	}
	return start(t, "PORT", env, "node", filepath.Join(programDir, "server.mjs"))
}

// runProgram tests one server, and two of a cluster.
func runProgram(t *testing.T, start func(t *testing.T, env ...string) server) {
	t.Run("alone", func(t *testing.T) {
		runNode(t, filepath.Join(programDir, "client.test.mjs"), "SERVER_URL="+start(t).url)
	})
	for name, env := range map[string][]string{"classic": nil, "sharded": {"SHARDED=1"}} {
		t.Run(name, func(t *testing.T) {
			env := append(env, "REDIS_URL="+redistest.Start(t).URL())
			runNode(t, filepath.Join(programDir, "cluster.test.mjs"), "SERVER_URL="+start(t, env...).url, "OTHER_URL="+start(t, env...).url)
		})
	}
}
