package server

import (
	"io"
	"net"
	"testing"
)

// A node that never runs leaves neither a port nor a goroutine behind.
func TestCloseWithoutRun(t *testing.T) {
	srv, err := New(env{}.parse(t), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(t.Context()); err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", srv.Addr().String())
	if err != nil {
		t.Fatalf("the port is still in use: %v", err)
	}
	ln.Close()
}
