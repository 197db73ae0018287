package redistest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster starts a Redis Cluster of n masters with equal shares of the slots.
func Cluster(t testing.TB, n int) []*Server {
	t.Helper()
	servers := make([]*Server, n)
	for i := range servers {
		servers[i] = New(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
		// The default is the port plus 10000, which may be too large.
		servers[i].args = append(servers[i].args, "--cluster-port", strconv.Itoa(New(t).port))
		servers[i].Up()
	}
	ctx := context.Background()
	for i, s := range servers {
		client := s.Client()
		defer client.Close()
		if err := client.ClusterAddSlotsRange(ctx, i*16384/n, (i+1)*16384/n-1).Err(); err != nil {
			t.Fatal(err)
		}
		first := servers[0]
		meet := client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", first.port, busPort(first))
		if err := meet.Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range servers {
		client := s.Client()
		defer client.Close()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			info, err := client.ClusterInfo(ctx).Result()
			var state string
			var known int
			for _, line := range strings.Split(info, "\r\n") {
				fmt.Sscanf(line, "cluster_state:%s", &state)
				fmt.Sscanf(line, "cluster_known_nodes:%d", &known)
			}
			if err == nil && state == "ok" && known == n {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the cluster does not form: %v %s", err, info)
			}
		}
	}
	return servers
}

// busPort returns the argument of --cluster-port.
func busPort(s *Server) string { return s.args[len(s.args)-1] }
