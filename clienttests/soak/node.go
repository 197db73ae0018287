package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
)

const (
	secret = "the secret of the soak: 32 bytes and more"
	apiKey = "the key of the soak, long enough for one"
	// waitTimeout bounds every wait. No correct result depends on its value.
	waitTimeout = 60 * time.Second
)

// environment is the node's configuration: all limits are set, but high, and pings are
// frequent, so that silent clients are noticed several times in a run.
var environment = []string{
	"HTTP_HOST=127.0.0.1", "HTTP_PORT=0", "NODE_ENV=production", "LOG_LEVEL=error",
	"JWT_SECRET=" + secret, "API_KEY=" + apiKey, "SHUTDOWN_TIMEOUT=8000",
	"WS_PING_INTERVAL=4000", "WS_PING_TIMEOUT=6000", "WS_RATE_LIMIT=1000000", "WS_RATE_WINDOW=2000",
	"WS_MAX_CONNECTIONS=100000", "WS_MAX_CONNECTIONS_PER_ADDRESS=100000", "WS_MAX_HANDSHAKES_PER_SECOND=100000",
	"WS_MAX_HANDSHAKES_PER_ADDRESS=100000",
}

// node is a node in a child process. Its methods are safe for concurrent use.
type node struct {
	url    string
	cmd    *exec.Cmd
	asking sync.Mutex
	stdin  io.WriteCloser // nil for an executable, which cannot be asked
	stdout *bufio.Reader
}

// startExecutable starts an executable of command puente.
func startExecutable(path string, log io.Writer) (*node, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &node{url: "http://" + ln.Addr().String(), cmd: exec.Command(path)}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	n.cmd.Env = append(append(os.Environ(), environment...), "HTTP_PORT="+port)
	n.cmd.Stderr = log
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	if !eventually(func() bool {
		_, err = n.counts()
		return err == nil
	}) {
		return nil, errors.Join(err, n.stop())
	}
	return n, nil
}

func startNode(log io.Writer) (*node, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	n := &node{cmd: exec.Command(self, serveArg)}
	n.cmd.Env = append(append(os.Environ(), environment...), "GOGC=50")
	n.cmd.Stderr = log
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	n.stdout = bufio.NewReader(out)
	line, err := n.stdout.ReadString('\n')
	if err != nil {
		n.cmd.Process.Kill()
		n.cmd.Wait()
		return nil, fmt.Errorf("reading the node's address: %w", err)
	}
	n.url = strings.TrimSpace(line)
	return n, nil
}

// stop makes the node drain and exit, and returns an error unless it exits with 0.
func (n *node) stop() error {
	if n.stdin == nil {
		return errors.Join(n.cmd.Process.Signal(syscall.SIGTERM), n.cmd.Wait())
	}
	n.stdin.Close()
	io.Copy(io.Discard, n.stdout) // Wait closes the pipe
	return n.cmd.Wait()
}

// ask sends a question to the node and returns its figures.
func (n *node) ask(question string) (f figures, err error) {
	if n.stdin == nil {
		return usage(strconv.Itoa(n.cmd.Process.Pid))
	}
	n.asking.Lock()
	defer n.asking.Unlock()
	if _, err := fmt.Fprintln(n.stdin, question); err != nil {
		return f, err
	}
	line, err := n.stdout.ReadBytes('\n')
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(line, &f)
}

// counts is the part of the node's statistics that must be zero at the end.
type counts struct{ ActiveConnections, ConnectedUsers, Rooms int }

func (n *node) counts() (c counts, err error) { return c, n.get("/api/ws/stats", &c) }

// connected reports whether the user has a connected device.
func (n *node) connected(user string) (bool, error) {
	var answer struct{ Connected bool }
	err := n.get("/api/ws/users/"+user, &answer)
	return answer.Connected, err
}

func (n *node) get(path string, into any) error {
	r, err := http.NewRequest(http.MethodGet, n.url+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+apiKey)
	r.Close = true // a kept connection would count among the node's descriptors
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func token(user string) (string, error) {
	return server.MintToken(config.Command{
		Config: config.Config{JWTSecret: config.NewSecret(secret)},
		Token:  config.Token{User: ident.Of(user), TTL: time.Hour},
	})
}
