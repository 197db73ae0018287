package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/waittest"
)

// Sentinel is a Redis Sentinel with a master and the replica that replaces it.
type Sentinel struct {
	*Server // the Sentinel

	Master, Replica *Server
	name            string
}

// StartSentinel starts all three and waits until the Sentinel knows both servers. The
// Sentinel gives up a master that is silent for a second.
func StartSentinel(t testing.TB, name string) *Sentinel {
	t.Helper()
	s := &Sentinel{Server: New(t), Master: Start(t, "--repl-diskless-sync-delay", "0"), name: name}
	s.Replica = Start(t, "--replicaof", "127.0.0.1", fmt.Sprint(s.Master.port), "--repl-diskless-sync-delay", "0")
	replica := s.Replica.Client()
	defer replica.Close()
	waittest.Until(t, "the replica follows", func() bool {
		info, err := replica.Info(context.Background(), "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	s.conf = filepath.Join(s.dir, "sentinel.conf") // which redis-server rewrites
	conf := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 4000\n",
		s.port, s.dir, name, s.Master.port, name, name)
	if err := os.WriteFile(s.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Up()
	client := redis.NewSentinelClient(&redis.Options{Addr: s.Addr(), Protocol: 2})
	defer client.Close()
	waittest.Until(t, "the Sentinel knows the replica", func() bool {
		list, err := client.Replicas(context.Background(), name).Result()
		return err == nil && len(list) == 1 && list[0]["flags"] == "slave" && list[0]["master-link-status"] == "ok"
	})
	return s
}

// HandOver makes the replica the master, and waits until it is.
func (s *Sentinel) HandOver() {
	s.t.Helper()
	client := redis.NewSentinelClient(&redis.Options{Addr: s.Addr(), Protocol: 2})
	defer client.Close()
	if err := client.Failover(context.Background(), s.name).Err(); err != nil {
		s.t.Fatal(err)
	}
	waittest.Until(s.t, "the replica is the master", func() bool {
		addr, err := client.GetMasterAddrByName(context.Background(), s.name).Result()
		return err == nil && net.JoinHostPort(addr[0], addr[1]) == s.Replica.Addr()
	})
}

// Hold makes the Sentinel wait with the replacement of a silent master, or go on.
func (s *Sentinel) Hold(on bool) {
	s.t.Helper()
	after := 1000
	if on {
		after = 1_000_000
	}
	s.Do("SENTINEL", "SET", s.name, "down-after-milliseconds", after)
}

// URL returns the URL for clients that follow the Sentinel.
func (s *Sentinel) URL() string { return s.Server.URL() + "?master_name=" + s.name }
