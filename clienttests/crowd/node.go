package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

const (
	secret = "the secret of the crowd: 32 bytes"
	apiKey = "the key of the crowd's backend: 32 bytes"
)

// node is the server. Its processes are started one after the other on the same
// port.
type node struct {
	binary, addr, port string
	cmd                *exec.Cmd
	log                logBuffer
	http               http.Client
}

// logBuffer records the log of the processes.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newNode returns a node with a free port. It does not start it.
func newNode(binary string) (*node, error) {
	port, err := raw.Port()
	return &node{binary: binary, addr: "127.0.0.1:" + port, port: port, http: http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}, err
}

// start starts a process and waits until it is ready.
func (n *node) start(ctx context.Context) error {
	n.cmd = exec.Command(n.binary)
	n.cmd.Env = append(os.Environ(), "NODE_ENV=production", "LOG_LEVEL=warn", "SHUTDOWN_TIMEOUT=16000", "HTTP_HOST=127.0.0.1", "HTTP_PORT="+n.port, "JWT_SECRET="+secret, "API_KEY="+apiKey)
	n.cmd.Stderr = &n.log
	if err := n.cmd.Start(); err != nil {
		n.cmd = nil
		return err
	}
	for ; ; time.Sleep(5 * time.Millisecond) {
		resp, err := n.http.Get("http://" + n.addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the server is not ready: %v", err)
		}
	}
}

// stop ends the process with SIGTERM, and returns an error unless it exits with 0.
func (n *node) stop() error {
	cmd := n.cmd
	n.cmd = nil
	n.http.CloseIdleConnections()
	return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
}

// kill ends the process, if one runs, with SIGKILL.
func (n *node) kill() error {
	n.http.CloseIdleConnections()
	if n.cmd != nil {
		n.cmd.Process.Kill()
		n.cmd.Wait()
		n.cmd = nil
	}
	return nil
}

// post sends a POST with the API key.
func (n *node) post(path, body string) error {
	req, err := http.NewRequest(http.MethodPost, "http://"+n.addr+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	resp, err := n.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s %v", path, resp.StatusCode, answer, err)
	}
	return nil
}

// counts checks the connections, users and rooms in the server's statistics.
func (n *node) counts(clients int) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+n.addr+"/api/ws/stats", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	resp, err := n.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var got struct{ ActiveConnections, ConnectedUsers, Rooms int }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return err
	}
	if got.ActiveConnections != clients || got.ConnectedUsers != clients || got.Rooms != clients/roomSize {
		return fmt.Errorf("statistics %+v, want %d clients in rooms of %d", got, clients, roomSize)
	}
	return nil
}

// timeWait returns the number of connections of the port in TIME_WAIT, or 0 if the
// system does not report them.
func timeWait(port string) (count int) {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0
	}
	var number int
	fmt.Sscan(port, &number)
	suffix := fmt.Sprintf(":%04X", number)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 3 && f[3] == "06" && (strings.HasSuffix(f[1], suffix) || strings.HasSuffix(f[2], suffix)) {
			count++
		}
	}
	return count
}
