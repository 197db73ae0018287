//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/puente-io/puente/compat/raw"
)

// asCommand in the environment makes the tests' binary the command itself.
const asCommand = "PUENTE_TEST_AS_COMMAND"

// startCommand runs the command in a process of its own until the test ends.
func startCommand(t *testing.T, env ...string) (cmd *exec.Cmd, log *buffer) {
	t.Helper()
	log = new(buffer)
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asCommand+"=1", "NODE_ENV=production", "HTTP_HOST=127.0.0.1", "HTTP_PORT=0", secret)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	log.address(t)
	return cmd, log
}

const apiKey = "the key of the backends, long enough"

// holdRequest opens a request whose body does not come, so that the drain waits. It
// returns when the server waits for the body.
func holdRequest(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /api/ws/updates HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", apiKey)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
	return conn
}

// A second signal does not wait for the drain.
func TestSecondSignal(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd, log := startCommand(t, "SHUTDOWN_TIMEOUT=1h", "API_KEY="+apiKey)
		defer holdRequest(t, log.address(t)).Close()
		cmd.Process.Signal(syscall.SIGTERM)
		log.wait(t, "draining")
		cmd.Process.Signal(second)
		err := cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != second {
			t.Errorf("%v: %v\n%s", second, err, log)
		}
	}
}

// A terminal that is closed, or an operator who asks for a reload that there is not,
// ends nothing.
func TestHangup(t *testing.T) {
	cmd, log := startCommand(t, "SHUTDOWN_TIMEOUT=0")
	cmd.Process.Signal(syscall.SIGHUP)
	c := raw.Connect(t, "http://"+log.address(t), raw.Options{}) // it lives
	c.Close()
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !strings.Contains(log.String(), "stopped") {
		t.Errorf("%v: %s", err, log)
	}
}
