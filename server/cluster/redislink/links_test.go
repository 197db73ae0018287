package redislink_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/puente-io/puente/server/cluster/redislink"
)

func TestOnce(t *testing.T) {
	var links redislink.Links
	dialed := 0
	dial := links.Track(func(context.Context, string, string) (net.Conn, error) {
		dialed++
		conn, other := net.Pipe()
		other.Close()
		return conn, nil
	})
	for range 2 {
		ctx := redislink.Once(t.Context())
		conn, err := dial(ctx, "tcp", "")
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if _, err := dial(ctx, "tcp", ""); redislink.Reason(err) != "Redis has closed the connection" {
			t.Errorf("the second connection of a context: %v", err)
		}
	}
	if dialed != 2 {
		t.Errorf("%d connections were dialed", dialed)
	}
}

// Connections of a context of Heard report each part of a message that they read.
func TestHeard(t *testing.T) {
	var links redislink.Links
	ends := make(chan net.Conn, 2)
	dial := links.Track(func(context.Context, string, string) (net.Conn, error) {
		conn, other := net.Pipe()
		ends <- other
		return conn, nil
	})
	heard := 0
	for _, ctx := range []context.Context{redislink.Heard(t.Context(), func() { heard++ }), t.Context()} {
		conn, err := dial(ctx, "tcp", "")
		if err != nil {
			t.Fatal(err)
		}
		other := <-ends
		go func() {
			for range 3 {
				other.Write([]byte("part"))
			}
			other.Close()
		}()
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	if heard != 3 {
		t.Errorf("%d reads of 3 were reported", heard)
	}
}
