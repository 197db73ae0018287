package clienttests_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/puente-io/puente/clienttests/raw"
)

// redisServer is a redis-server of one test, on a free port of 127.0.0.1.
type redisServer struct {
	t    testing.TB
	addr string
	cmd  *exec.Cmd
}

// newRedis reserves a port for a server that is not there yet. It skips the test
// where redis-server is not installed.
func newRedis(t testing.TB) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server")
	}
	port, err := raw.Port()
	if err != nil {
		t.Fatal(err)
	}
	r := &redisServer{t: t, addr: "127.0.0.1:" + port}
	t.Cleanup(r.kill)
	return r
}

func startRedis(t testing.TB) *redisServer {
	t.Helper()
	r := newRedis(t)
	r.up()
	return r
}

func (r *redisServer) url() string { return "redis://" + r.addr }

func (r *redisServer) up() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", r.t.TempDir())
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	for end := time.Now().Add(raw.Timeout); r.do("PING") != "+PONG"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("redis-server does not answer")
		}
	}
}

// do sends a command and returns the first line of the answer, "" where there
// is none.
func (r *redisServer) do(command ...string) string {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(raw.Timeout))
	fmt.Fprintf(conn, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(word), word)
	}
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

func (r *redisServer) kill() {
	if r.cmd != nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
		r.cmd = nil
	}
}

func (r *redisServer) pause()  { r.cmd.Process.Signal(syscall.SIGSTOP) }
func (r *redisServer) resume() { r.cmd.Process.Signal(syscall.SIGCONT) }
