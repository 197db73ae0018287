package server

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

// HARDENING, operation: readiness fails first, new sessions are refused,
// clients are closed spread over the drain time, within SHUTDOWN_TIMEOUT.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startOn(t, env{"SHUTDOWN_TIMEOUT": "8000"}, raw.NewNetwork())
		var clients []*raw.Client
		for range 3 {
			clients = append(clients, n.device("ana"))
		}
		poll := n.pollingSession()
		if status, body, _ := n.do("GET", "/readyz", ""); status != 200 {
			t.Fatalf("readyz: %d %s", status, body)
		}

		began := time.Now()
		n.stop()
		synctest.Wait()
		if status, body, _ := n.do("GET", "/readyz", ""); status != 503 || body != `{"ready":false,"reason":"draining"}` {
			t.Errorf("readyz: %d %s", status, body)
		}
		if status, _, _ := n.do("GET", "/healthz", ""); status != 200 {
			t.Errorf("healthz: %d", status)
		}
		if status, body, _ := n.do("GET", polling, ""); status < 400 {
			t.Errorf("a new session was opened: %d %s", status, body)
		}
		// Those that are still connected are served.
		left := 0
		for _, c := range clients {
			if n.io.Namespace("/").Socket(c.ID()) != nil {
				c.Ask("ping")
				left++
			}
		}
		if left < 2 {
			t.Errorf("%d of 3 clients are connected at the beginning of the drain", left)
		}
		var ends []time.Duration
		for _, c := range clients {
			if kicked := c.Ended(); kicked {
				t.Error("a client was sent DISCONNECT: it will not come back")
			}
			ends = append(ends, time.Since(began))
		}
		if body := <-poll; body != "1" && body != "6" {
			t.Errorf("the poll was answered with %q", body)
		}
		if err := <-n.ran; err != nil {
			t.Errorf("Run: %v", err)
		}
		took := time.Since(began)
		if took > 8*time.Second || ends[2] > 4*time.Second {
			t.Errorf("stopped after %v; clients were closed after %v", took, ends)
		}
		if !strings.Contains(n.log.String(), "stopped") {
			t.Errorf("log: %s", n.log)
		}
	})
}

// pollingSession connects over long-polling, and returns what the poll that
// waits is answered with.
func (n *node) pollingSession() <-chan string {
	n.t.Helper()
	_, open, _ := n.do("GET", polling, "")
	_, after, _ := strings.Cut(open, `"sid":"`)
	sid, _, ok := strings.Cut(after, `"`)
	if !ok {
		n.t.Fatalf("open packet %q", open)
	}
	session := polling + "&sid=" + sid
	n.do("POST", session, "40")
	if _, body, _ := n.do("GET", session, ""); !strings.HasPrefix(body, "40{") {
		n.t.Fatalf("CONNECT was answered with %q", body)
	}
	answer := make(chan string, 1)
	go func() {
		_, body, _ := n.do("GET", session, "")
		answer <- body
	}()
	return answer
}

// Clients are closed one after the other, not all at once.
func TestDrainSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startOn(t, env{"SHUTDOWN_TIMEOUT": "8000"}, raw.NewNetwork())
		for range 8 {
			n.device("ana")
		}
		n.stop()
		for i := range 8 {
			synctest.Wait()
			if got := n.Service().Stats().ActiveConnections; got != int64(7-i) {
				t.Errorf("after %v %d connections are open, want %d", time.Duration(i)*500*time.Millisecond, got, 7-i)
			}
			time.Sleep(500 * time.Millisecond)
		}
		if err := <-n.ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// Connections that never end their request do not hold up the stop, nor are
// they an error.
func TestDrainCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := raw.NewNetwork()
		n := startOn(t, env{"SHUTDOWN_TIMEOUT": "8000"}, network)
		for _, text := range []string{
			"G",
			"POST /api/ws/updates HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + apiKey + "\r\nContent-Length: 100\r\n\r\n{",
		} {
			conn, err := network.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go conn.Read(make([]byte, 1000))
			if _, err := conn.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		began := time.Now()
		n.stop()
		if err := <-n.ran; err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("stopped after %v", took)
		}
		if !strings.Contains(n.log.String(), "requests cut off") {
			t.Errorf("log: %s", n.log)
		}
	})
}

// A drain on a real network ends all goroutines, which package goleak checks.
func TestStop(t *testing.T) {
	for _, timeout := range []string{"400", "0"} {
		n := start(t, env{"SHUTDOWN_TIMEOUT": timeout})
		c := n.device("ana")
		n.stop()
		c.Ended()
		if err := <-n.ran; err != nil {
			t.Errorf("SHUTDOWN_TIMEOUT=%s: %v", timeout, err)
		}
		if conn, err := net.Dial("tcp", n.Addr().String()); err == nil {
			conn.Close()
			t.Error("the port is still open")
		}
	}
}
