package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
)

// nodeVariable is the environment variable that makes this program run a node.
const nodeVariable = "PUENTE_STRESS_NODE"

// runNode runs a node, in a child process that can be killed, and returns the exit
// code. The node also ends when its standard input does, so that it does not outlive
// its parent.
func runNode() int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go func() { io.Copy(io.Discard, os.Stdin); os.Exit(1) }()
	cmd, err := config.Parse(nil, os.Getenv, io.Discard)
	if err == nil {
		var srv *server.Server
		if srv, err = server.New(cmd.Config, io.Discard); err == nil {
			fmt.Println("http://" + srv.Addr().String())
			err = srv.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fleet is three nodes, each a child process with its own link to Redis.
type fleet struct {
	redis   *redis
	adapter string
	nodes   []*process
}

// process is a node and its link to Redis.
type process struct {
	link  *link
	cmd   *exec.Cmd
	stdin io.WriteCloser
	url   string
}

func startFleet(path, adapter string) (_ *fleet, err error) {
	f := &fleet{adapter: adapter}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	if f.redis, err = newRedis(path); err != nil {
		return f, err
	}
	if err = f.redis.up(); err != nil {
		return f, err
	}
	for range 3 {
		w, err := newLink("127.0.0.1:" + f.redis.port)
		if err != nil {
			return f, err
		}
		p := &process{link: w}
		f.nodes = append(f.nodes, p)
		if err := f.start(p); err != nil {
			return f, err
		}
	}
	return f, nil
}

// start starts a node's process and waits until it is ready.
func (f *fleet) start(p *process) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(self)
	p.cmd.Env = append(os.Environ(), nodeVariable+"=1", "HTTP_HOST=127.0.0.1", "HTTP_PORT=0", "JWT_SECRET="+secret, "LOG_LEVEL=error",
		"WS_RATE_LIMIT=0", "SHUTDOWN_TIMEOUT=4000", "REDIS_URL=redis://"+p.link.listener.Addr().String(), "REDIS_ADAPTER="+f.adapter)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading a node's address: %w", err)
	}
	p.url = strings.TrimSpace(line)
	return p.awaitReady()
}

// awaitReady waits until the node is ready and connected to its cluster. It may be
// degraded because of what was lost before.
func (p *process) awaitReady() error {
	if !eventually(func() bool {
		resp, err := http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		degraded := strings.Contains(string(body), `"degraded"`) && !strings.Contains(string(body), `"connected":true`)
		return resp.StatusCode == http.StatusOK && !degraded
	}) {
		return errors.New("a node is not ready")
	}
	return nil
}

// kill ends the process with SIGKILL.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.stdin.Close()
	p.cmd.Wait()
}

func (f *fleet) stop() {
	for _, p := range f.nodes {
		if p.cmd != nil && p.cmd.Process != nil {
			p.kill()
		}
		p.link.close()
	}
	if f.redis != nil {
		f.redis.kill()
	}
	http.DefaultClient.CloseIdleConnections()
}

// link is a TCP proxy between a node and Redis, which can be cut.
type link struct {
	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newLink(to string) (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &link{listener: l, to: to, conns: make(map[net.Conn]bool)}
	w.running.Go(w.accept)
	return w, nil
}

func (w *link) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.to)
		if err != nil || !w.add(client, server) {
			client.Close()
			continue
		}
		pass := func(to, from net.Conn) {
			io.Copy(to, from)
			w.drop(to, from)
		}
		w.running.Go(func() { pass(server, client) })
		w.running.Go(func() { pass(client, server) })
	}
}

func (w *link) add(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		if w.cut {
			c.Close()
		} else {
			w.conns[c] = true
		}
	}
	return !w.cut
}

func (w *link) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(w.conns, c)
	}
}

// set cuts the link or restores it.
func (w *link) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.conns {
			c.Close()
		}
	}
}

func (w *link) close() {
	w.listener.Close()
	w.set(true)
	w.running.Wait()
}
