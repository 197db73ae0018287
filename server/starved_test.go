//go:build unix

package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// childOfStarved makes this test binary the server of TestStarved.
const childOfStarved = "PUENTE_TEST_STARVED"

// Three hundred connections whose clients stop halfway, on a node with 256 descriptors,
// delay a health check until their deadline, and no longer.
func TestStarved(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^TestStarvedServer$", "-test.v")
	child.Env = append(os.Environ(), childOfStarved+"=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		if err := child.Wait(); err != nil {
			t.Errorf("the server: %v", err)
		}
	}()
	var addr string
	for lines := bufio.NewScanner(stdout); addr == "" && lines.Scan(); {
		_, addr, _ = strings.Cut(lines.Text(), "serving on ")
	}
	if addr == "" {
		t.Fatal("the server does not start")
	}
	drained := make(chan struct{})
	go func() { io.Copy(io.Discard, stdout); close(drained) }()
	defer func() { stdin.Close(); <-drained }()

	const end = " HTTP/1.1\r\nHost: x\r\n"
	kinds := []string{
		"POST /socket.io/socket.io.js" + end + "Content-Length: 1000\r\n\r\nx",
		"GET /socket.io/socket.io.js" + end + "Content-Length: 1000\r\n\r\nx",
		"OPTIONS *" + end + "Content-Length: 1000\r\n\r\nx",
		strings.Repeat("GET /socket.io/socket.io.js"+end+"\r\n", 1000), // and reads nothing
	}
	var clients sync.WaitGroup
	defer clients.Wait()
	for i := range 300 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		clients.Go(func() { io.WriteString(conn, kinds[i%len(kinds)]) })
	}
	// The check has been accepted by the kernel, and waits for its descriptor.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	res, err := client.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
}

// TestStarvedServer is the server of TestStarved: with few descriptors, and with
// the deadlines that it has but in seconds instead of minutes.
func TestStarvedServer(t *testing.T) {
	if os.Getenv(childOfStarved) == "" {
		t.Skip("for TestStarved")
	}
	srv, err := New(env{}.parse(t), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	hs := srv.http
	for _, d := range []*time.Duration{&hs.ReadHeaderTimeout, &hs.ReadTimeout, &hs.WriteTimeout, &hs.IdleTimeout} {
		*d /= 30
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 256, Max: 256}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	os.Stdout.WriteString("\nserving on " + srv.Addr().String() + "\n")
	go func() { io.Copy(io.Discard, os.Stdin); stop() }()
	if err := srv.Run(ctx); err != nil {
		t.Error(err)
	}
}
