package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
)

const (
	secret = "the secret of the soak: 32 bytes and more"
	apiKey = "the key of the soak, long enough for one"
	// patience bounds what must come. No right result depends on it.
	patience = 60 * time.Second
)

// environment of the node: limits on, set high, and pings often, so that who
// falls silent is noticed several times in a run.
var environment = []string{
	"HTTP_HOST=127.0.0.1", "HTTP_PORT=0", "NODE_ENV=production", "LOG_LEVEL=error", "GOGC=50", // as command puente has it
	"JWT_SECRET=" + secret, "API_KEY=" + apiKey, "SHUTDOWN_TIMEOUT=8000",
	"WS_PING_INTERVAL=4000", "WS_PING_TIMEOUT=6000", "WS_RATE_LIMIT=1000000", "WS_RATE_WINDOW=2000",
}

// node is a node in a process of its own. Its methods are safe for concurrent
// use.
type node struct {
	url    string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	asking sync.Mutex
	stdout *bufio.Reader
}

func startNode(log io.Writer) (*node, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	n := &node{cmd: exec.Command(self, serveArg)}
	n.cmd.Env = append(os.Environ(), environment...)
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
		return nil, fmt.Errorf("the node says no address: %w", err)
	}
	n.url = strings.TrimSpace(line)
	return n, nil
}

// stop has the node drain, and returns how it ended.
func (n *node) stop() error {
	n.stdin.Close()
	io.Copy(io.Discard, n.stdout) // Wait closes the pipe
	return n.cmd.Wait()
}

// ask asks a question.
func (n *node) ask(question string) (f figures, err error) {
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

// crowd is who is there.
type crowd struct{ ActiveConnections, ConnectedUsers, Rooms int }

func (n *node) crowd() (c crowd, err error) { return c, n.get("/api/ws/stats", &c) }

// connected reports whether the user is there.
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
	r.Close = true // a connection that stays would count as the node's
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
		Token:  config.Token{User: ident.Must(ident.String(user)), TTL: time.Hour},
	})
}
