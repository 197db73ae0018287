package clienttests_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/puente-io/puente/compat/raw"
)

// balancer forwards each connection to the next node in turn, skipping nodes that
// do not accept it, until the test ends.
type balancer struct {
	url   string
	nodes []string // host:port
	next  atomic.Int64
}

func startBalancer(t *testing.T, nodes ...*clusterNode) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{url: "http://" + l.Addr().String()}
	for _, n := range nodes {
		b.nodes = append(b.nodes, host(t, n.url))
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { b.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() }) // runs after the clients and nodes have closed
	return b
}

func host(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func (b *balancer) serve(client net.Conn) {
	defer client.Close()
	for range b.nodes {
		node, err := net.DialTimeout("tcp", b.nodes[int(b.next.Add(1))%len(b.nodes)], raw.Timeout)
		if err != nil {
			continue
		}
		defer node.Close()
		var both sync.WaitGroup
		both.Go(func() { pass(node, client) })
		pass(client, node)
		both.Wait()
		return
	}
}

// pass copies until from ends, and then closes to for writing.
func pass(to, from net.Conn) {
	io.Copy(to, from)
	to.(*net.TCPConn).CloseWrite()
}
