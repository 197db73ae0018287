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

// nodeVariable makes this program a node instead of a stress.
const nodeVariable = "PUENTE_STRESS_NODE"

// runNode is a node as a process of its own, which can be killed. It ends when its
// standard input does, so that it does not outlive the stress.
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

// fleet is three nodes, each a process of its own with a way of its own to Redis.
type fleet struct {
	redis   *redis
	adapter string
	nodes   []*process
}

// process is a node, and the way to Redis that it has.
type process struct {
	way   *way
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
		w, err := newWay("127.0.0.1:" + f.redis.port)
		if err != nil {
			return f, err
		}
		p := &process{way: w}
		f.nodes = append(f.nodes, p)
		if err := f.start(p); err != nil {
			return f, err
		}
	}
	return f, nil
}

// start starts a node's process, and returns when it is ready.
func (f *fleet) start(p *process) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(self)
	p.cmd.Env = append(os.Environ(), nodeVariable+"=1", "HTTP_HOST=127.0.0.1", "HTTP_PORT=0", "JWT_SECRET="+secret, "LOG_LEVEL=error",
		"WS_RATE_LIMIT=0", "SHUTDOWN_TIMEOUT=4000", "REDIS_URL=redis://"+p.way.listener.Addr().String(), "REDIS_ADAPTER="+f.adapter)
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
		return fmt.Errorf("a node says no address: %w", err)
	}
	p.url = strings.TrimSpace(line)
	return p.awaitReady()
}

// awaitReady waits until the node is ready and not degraded.
func (p *process) awaitReady() error {
	if !eventually(func() bool {
		resp, err := http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode == http.StatusOK && !strings.Contains(string(body), "degraded")
	}) {
		return errors.New("a node does not become ready")
	}
	return nil
}

// kill ends the process as kill -9 does.
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
		p.way.close()
	}
	if f.redis != nil {
		f.redis.kill()
	}
	http.DefaultClient.CloseIdleConnections()
}

// way is a node's way to Redis, which can be cut.
type way struct {
	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newWay(to string) (*way, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &way{listener: l, to: to, conns: make(map[net.Conn]bool)}
	w.running.Go(w.accept)
	return w, nil
}

func (w *way) accept() {
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

func (w *way) add(conns ...net.Conn) bool {
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

func (w *way) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(w.conns, c)
	}
}

// set cuts the way, or mends it.
func (w *way) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.conns {
			c.Close()
		}
	}
}

func (w *way) close() {
	w.listener.Close()
	w.set(true)
	w.running.Wait()
}
