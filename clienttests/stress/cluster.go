package main

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/socketio"
)

const (
	secret = "the secret of the stress: 32 bytes"
	// waitTimeout bounds every wait. No correct result depends on its value.
	waitTimeout = 20 * time.Second
)

// cluster is nodes and their Redis.
type cluster struct {
	nodes []*node
	redis *redis // nil if redis-server is not installed
}

// redis is a redis-server on its own port.
type redis struct {
	path, port string
	cmd        *exec.Cmd // nil while it is down
}

type node struct {
	*server.Server
	addr, url string
	cancel    func()
	ran       chan error

	mu      sync.Mutex
	reasons map[string]string // of disconnections, by socket id
}

func startCluster() (_ *cluster, err error) {
	c := &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	count := 1
	if path, err := exec.LookPath("redis-server"); err == nil {
		count = 2
		if c.redis, err = newRedis(path); err != nil {
			return nil, err
		}
		if err := c.redis.up(); err != nil {
			return nil, err
		}
	}
	for range count {
		n, err := startNode(c.redis.url())
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, n)
	}
	if !eventually(func() bool { return !c.degraded() }) {
		return nil, errors.New("the nodes are not connected")
	}
	return c, nil
}

// degraded reports whether any node is cut off from the cluster now; earlier losses do not count.
func (c *cluster) degraded() bool { return slices.ContainsFunc(c.nodes, (*node).degraded) }

func (n *node) degraded() bool {
	d := n.Service().HealthCheck().Degraded
	return d != nil && !d.Connected
}

// newRedis returns a redis with a free port. It does not start it.
func newRedis(path string) (*redis, error) {
	port, err := raw.Port()
	return &redis{path: path, port: port}, err
}

func (r *redis) up() error {
	cmd := exec.Command(r.path, "--bind", "127.0.0.1", "--port", r.port, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		return err
	}
	r.cmd = cmd
	return nil
}

func (r *redis) kill() {
	if r.cmd != nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
		r.cmd = nil
	}
}

func (r *redis) url() string {
	if r == nil {
		return ""
	}
	return "redis://127.0.0.1:" + r.port
}

func startNode(redisURL string) (*node, error) {
	vars := map[string]string{
		"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "JWT_SECRET": secret, "LOG_LEVEL": "error",
		"WS_RATE_LIMIT": "0", "WS_SLOW_TIMEOUT": "5000", "SHUTDOWN_TIMEOUT": "8000", "REDIS_URL": redisURL,
	}
	cmd, err := config.Parse(nil, func(name string) string { return vars[name] }, io.Discard)
	if err != nil {
		return nil, err
	}
	srv, err := server.New(cmd.Config, io.Discard)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{
		Server: srv, addr: srv.Addr().String(), url: "http://" + srv.Addr().String(), cancel: cancel, ran: make(chan error, 1),
		reasons: make(map[string]string),
	}
	ns := srv.SocketIO().Namespace("/")
	ns.Use(delay)
	ns.OnDisconnect(func(_ context.Context, s *socketio.Socket, reason socketio.Reason) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.reasons[s.ID()] = string(reason)
	})
	go func() { n.ran <- srv.Run(ctx) }()
	return n, nil
}

// delay is middleware that waits for as long as the client's auth payload says.
func delay(ctx context.Context, s *socketio.Socket) error {
	var auth struct{ Delay int } // milliseconds
	if s.Handshake().Auth.Decode(&auth) != nil || auth.Delay == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(auth.Delay) * time.Millisecond):
	}
	return nil
}

func (n *node) stop() error {
	n.cancel()
	return <-n.ran
}

// reason returns the reason of a socket's disconnection, or "" if it is connected.
func (n *node) reason(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reasons[id]
}

func (c *cluster) stop() (err error) {
	for _, n := range c.nodes {
		err = errors.Join(err, n.stop())
	}
	if c.redis != nil {
		c.redis.kill()
	}
	return err
}

// node returns node i modulo the number of nodes.
func (c *cluster) node(i int) *node { return c.nodes[i%len(c.nodes)] }

func token(user string) (string, error) {
	return server.MintToken(config.Command{
		Config: config.Config{JWTSecret: config.NewSecret(secret)},
		Token:  config.Token{User: ident.Of(user), TTL: time.Hour},
	})
}

// eventually waits until cond holds. It returns false if it does not within waitTimeout.
func eventually(cond func() bool) bool {
	for end := time.Now().Add(waitTimeout); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
