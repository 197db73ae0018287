// Package nodetest runs a script on Node for tests, and talks with it: each line
// of JSON that it is written is answered with a line.
package nodetest

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Process is a script that runs until the test ends. Its methods are safe for
// concurrent use, but for Pause and Kill.
type Process struct {
	cmd    *exec.Cmd
	killed bool

	mu  sync.Mutex // held from a question to its answer
	in  io.Writer
	out *bufio.Reader
}

// Start starts a script, whose path is relative to the folder of the test as is
// that of the repository, root. It skips the test where there is no Node, or
// where the package is not installed that the script needs.
func Start(t *testing.T, root, script, needs string) *Process {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, "node_modules", needs)); err != nil {
		t.Skip("node_modules is missing: npm ci")
	}
	cmd := exec.Command("node", script)
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
	p := &Process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && !p.killed {
			t.Errorf("node: %v", err)
		}
	})
	return p
}

// Ask writes a question as a line of JSON and returns the line of the answer.
func (p *Process) Ask(t *testing.T, question any) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	line, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("node: %v", err)
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	return strings.TrimSpace(answer)
}

// Pause stops the process without ending it.
func (p *Process) Pause() { p.cmd.Process.Signal(syscall.SIGSTOP) }

// Kill ends it as kill -9 does, without a word to anyone.
func (p *Process) Kill() {
	p.killed = true
	p.cmd.Process.Kill()
}
