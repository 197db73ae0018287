// Package redistest starts real Redis servers for tests.
package redistest

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/puente-io/puente/server/waittest"
)

// Server is a redis-server of a test, on a free port of 127.0.0.1. Its methods must be
// called by the goroutine of the test.
type Server struct {
	t    testing.TB
	port int
	dir  string // which redis-server may write to
	args []string
	cmd  *exec.Cmd

	conf string     // configuration file of a Sentinel; others have arguments
	tls  *tlsServer // nil without TLS
}

// Start starts a server that ends with the test. It skips the test if redis-server is not
// installed. args are arguments of redis-server.
func Start(t testing.TB, args ...string) *Server {
	s := New(t, args...)
	s.Up()
	return s
}

// New returns a server that Up starts. Its port is free, but nothing reserves it.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server")
	}
	logging.Disable() // go-redis logs each failed attempt to connect
	// The directory is created before Cleanup, so that it is removed after the server has ended.
	s := &Server{t: t, port: freePort(t), dir: t.TempDir(), args: args}
	t.Cleanup(s.Kill)
	return s
}

// freePort returns a port without a listener, below those that systems use for outgoing
// connections: while a server is down, the connections of its clients could get its port.
func freePort(t testing.TB) int {
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// Addr returns the server's address.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the server's URL.
func (s *Server) URL() string {
	if s.tls != nil {
		return "rediss://" + s.Addr()
	}
	return "redis://" + s.Addr()
}

// Up starts the server and waits until it replies.
func (s *Server) Up() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", s.arguments()...)
	s.cmd.SysProcAttr = dieWithParent()
	if os.Getenv("REDISTEST_LOG") != "" {
		s.cmd.Stdout, s.cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	client := s.Client()
	defer client.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if err := client.Ping(context.Background()).Err(); err == nil {
			return
		} else if time.Now().After(deadline) {
			s.t.Fatalf("redis-server does not answer: %v", err)
		}
	}
}

func (s *Server) arguments() []string {
	if s.conf != "" {
		return []string{s.conf, "--sentinel"}
	}
	args := []string{"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir}
	if s.tls != nil {
		args = append(args, s.tls.arguments(s.port)...)
	} else {
		args = append(args, "--port", strconv.Itoa(s.port))
	}
	return append(args, s.args...)
}

// Kill ends the server like kill -9. If it is down, Kill does nothing.
func (s *Server) Kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// patience is how long a busy machine may take to answer a command.
const patience = 30 * time.Second

// Client returns a client of the server. The caller must close it.
func (s *Server) Client() *redis.Client {
	o := &redis.Options{
		Addr: s.Addr(), Protocol: 2, DialerRetries: 1, MaxRetries: -1,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience,
	}
	if s.tls != nil {
		o.TLSConfig = s.tls.client
	}
	return redis.NewClient(o)
}

// BreakDisk makes the server unable to write to its disk, until it is killed.
func (s *Server) BreakDisk() {
	s.t.Helper()
	s.Do("CONFIG", "SET", "save", "3600 1000000")
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Fatal(err)
	}
	s.Do("BGSAVE")
	client := s.Client()
	defer client.Close()
	waittest.Until(s.t, "a save has failed", func() bool {
		info, err := client.Info(context.Background(), "persistence").Result()
		return err == nil && strings.Contains(info, "rdb_last_bgsave_status:err")
	})
}

// Follow makes the server a replica of another, and waits until it has the data.
func (s *Server) Follow(master *Server) {
	s.t.Helper()
	s.Do("REPLICAOF", "127.0.0.1", master.port)
	client := s.Client()
	defer client.Close()
	waittest.Until(s.t, "the replica follows", func() bool {
		info, err := client.Info(context.Background(), "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
}

// Do runs a command, which must succeed.
func (s *Server) Do(args ...any) {
	s.t.Helper()
	client := s.Client()
	defer client.Close()
	if err := client.Do(context.Background(), args...).Err(); err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
}

// Subscribers returns how many connections of the server have subscribed.
func (s *Server) Subscribers() int {
	s.t.Helper()
	client := s.Client()
	defer client.Close()
	list, err := client.Do(s.t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Count(list, "\n")
}
