// Package nodetest runs a Node script for tests. The script answers each line
// of JSON on its standard input with a line on its standard output.
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

// Process is a running script, which ends with the test. Ask is safe for
// concurrent use; Pause and Kill are not.
type Process struct {
	cmd    *exec.Cmd
	killed bool

	mu  sync.Mutex // held while a question waits for its answer
	in  io.Writer
	out *bufio.Reader
}

// Start starts a script. script and root, the root of the repository, are paths
// relative to the directory of the test; needs is an npm package that the script
// imports. Start skips the test if Node or that package is not installed.
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

// Ask writes a question as a line of JSON and returns the line that the script
// answers. An error is fatal for the test.
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

// Pause suspends the process with SIGSTOP.
func (p *Process) Pause() { p.cmd.Process.Signal(syscall.SIGSTOP) }

// Kill ends the process with SIGKILL.
func (p *Process) Kill() {
	p.killed = true
	p.cmd.Process.Kill()
}
