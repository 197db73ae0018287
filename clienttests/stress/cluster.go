package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
)

const (
	secret = "the secret of the stress: 32 bytes"
	// patience bounds what must come. No right result depends on it.
	patience = 20 * time.Second
)

// cluster is the nodes and their Redis.
type cluster struct {
	nodes []*node
	redis *exec.Cmd // nil where there is none
}

type node struct {
	*server.Server
	addr, url string
	cancel    func()
	ran       chan error
}

func startCluster() (_ *cluster, err error) {
	c := &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	count, redisURL := 1, ""
	if path, err := exec.LookPath("redis-server"); err == nil {
		count = 2
		if redisURL, err = c.startRedis(path); err != nil {
			return nil, err
		}
	}
	for range count {
		n, err := startNode(redisURL)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, n)
	}
	if !eventually(func() bool {
		return !slices.ContainsFunc(c.nodes, func(n *node) bool { return n.Service().HealthCheck().Degraded != nil })
	}) {
		return nil, errors.New("the nodes are not connected")
	}
	return c, nil
}

func (c *cluster) startRedis(path string) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	c.redis = exec.Command(path, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no")
	if err := c.redis.Start(); err != nil {
		c.redis = nil
		return "", err
	}
	return fmt.Sprintf("redis://127.0.0.1:%d", port), nil
}

func startNode(redisURL string) (*node, error) {
	vars := map[string]string{
		"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "JWT_SECRET": secret, "LOG_LEVEL": "error",
		"WS_RATE_LIMIT": "0", "SHUTDOWN_TIMEOUT": "8000", "REDIS_URL": redisURL,
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
	n := &node{Server: srv, addr: srv.Addr().String(), url: "http://" + srv.Addr().String(), cancel: cancel, ran: make(chan error, 1)}
	go func() { n.ran <- srv.Run(ctx) }()
	return n, nil
}

func (c *cluster) stop() (err error) {
	for _, n := range c.nodes {
		n.cancel()
		err = errors.Join(err, <-n.ran)
	}
	if c.redis != nil {
		c.redis.Process.Kill()
		c.redis.Wait()
	}
	return err
}

// node returns node i, and again the first after the last.
func (c *cluster) node(i int) *node { return c.nodes[i%len(c.nodes)] }

func token(user string) (string, error) {
	return server.MintToken(config.Command{
		Config: config.Config{JWTSecret: config.NewSecret(secret)},
		Token:  config.Token{User: ident.Must(ident.String(user)), TTL: time.Hour},
	})
}

// eventually waits until cond holds, and reports whether it ever did.
func eventually(cond func() bool) bool {
	for end := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
