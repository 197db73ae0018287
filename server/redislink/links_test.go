package redislink_test

import (
	"context"
	"net"
	"testing"

	"github.com/puente-io/puente/server/redislink"
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
