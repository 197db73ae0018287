package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Sentinel is a master that a sentinel watches, and the replica that takes its
// place when it is gone.
type Sentinel struct {
	*Server // the sentinel

	Master, Replica *Server
	name            string
}

// StartSentinel starts all three, and waits until the sentinel knows both
// servers. It takes a master that has been silent for a second for gone.
func StartSentinel(t testing.TB, name string) *Sentinel {
	t.Helper()
	s := &Sentinel{Server: New(t), Master: Start(t, "--repl-diskless-sync-delay", "0"), name: name}
	s.Replica = Start(t, "--replicaof", "127.0.0.1", fmt.Sprint(s.Master.port), "--repl-diskless-sync-delay", "0")
	replica := s.Replica.Client()
	defer replica.Close()
	until(t, "the replica follows", func() bool {
		info, err := replica.Info(context.Background(), "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	s.conf = filepath.Join(t.TempDir(), "sentinel.conf") // which it rewrites
	conf := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 4000\n",
		s.port, filepath.Dir(s.conf), name, s.Master.port, name, name)
	if err := os.WriteFile(s.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Up()
	client := s.Client()
	defer client.Close()
	until(t, "the sentinel knows the replica", func() bool {
		list, err := client.Do(context.Background(), "SENTINEL", "REPLICAS", name).Slice()
		return err == nil && len(list) == 1
	})
	return s
}

// URL is how clients are told of the master by way of the sentinel.
func (s *Sentinel) URL() string { return s.Server.URL() + "?master_name=" + s.name }

func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
