package clienttests_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/waittest"
)

const secret = "the secret of the tests: 32 bytes"

// clusterNode is a server, in this process or in a child process.
type clusterNode struct {
	t    testing.TB
	url  string
	stop func() // as SIGTERM; the test fails if the node ends with an error
	kill func() // as kill -9; nil for a node in this process

	signal func(os.Signal) // nil for a node in this process
}

func configure(t testing.TB, env ...string) config.Config {
	t.Helper()
	vars := map[string]string{"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "JWT_SECRET": secret, "LOG_LEVEL": "warn", "SHUTDOWN_TIMEOUT": "4000"}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	cmd, err := config.Parse(nil, func(name string) string { return vars[name] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Config
}

// startNode starts a node in this process and stops it when the test ends.
func startNode(t testing.TB, env ...string) *clusterNode {
	t.Helper()
	return startLogging(t, &testLog{t: t}, env...)
}

func startLogging(t testing.TB, log io.Writer, env ...string) *clusterNode {
	t.Helper()
	srv, err := server.New(configure(t, env...), log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := srv.Run(ctx); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	stop := func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return &clusterNode{t: t, url: "http://" + srv.Addr().String(), stop: stop}
}

// testLog writes the log of a node to the log of a test.
type testLog struct{ t testing.TB }

func (l *testLog) Write(b []byte) (int, error) {
	l.t.Logf("%s", strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

// nodeVariable is the environment variable that makes this test binary run a node
// instead of tests.
const nodeVariable = "PUENTE_TEST_NODE"

// runNode runs a node in a child process and returns the exit code.
func runNode() int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	cmd, err := config.Parse(nil, os.Getenv, io.Discard)
	if err == nil {
		var srv *server.Server
		if srv, err = server.New(cmd.Config, io.Discard); err == nil {
			fmt.Println("http://" + srv.Addr().String())
			err = srv.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// startProcess starts a node in a child process and kills it when the test ends.
func startProcess(t testing.TB, env ...string) *clusterNode {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), nodeVariable+"=1", "HTTP_HOST=127.0.0.1", "HTTP_PORT=0", "JWT_SECRET="+secret)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = &testLog{t: t}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Cleanup(kill)
	stop := func() {
		t.Helper()
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			t.Errorf("stopping a node: %v", err)
		}
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("reading the node's address: %v", err)
	}
	signal := func(s os.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	return &clusterNode{t: t, url: strings.TrimSpace(line), stop: stop, kill: kill, signal: signal}
}

// token signs a token of the user.
func token(t testing.TB, user string) string {
	t.Helper()
	text, err := server.MintToken(config.Command{
		Config: config.Config{JWTSecret: config.NewSecret(secret)},
		Token:  config.Token{User: ident.Of(user), TTL: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// device connects a device of the user and joins the rooms.
func (n *clusterNode) device(user string, rooms ...string) *raw.Client {
	n.t.Helper()
	c := raw.Connect(n.t, n.url, raw.Options{Auth: map[string]string{"token": token(n.t, user)}})
	c.Next("authenticated")
	for _, room := range rooms {
		ask(n.t, c, "join-room", room)
	}
	return c
}

// answer is an acknowledgement.
type answer struct {
	Success   bool
	Delivered bool
	Users     []string
	Total     int
	Error     struct{ Code string }
}

// ask sends an event and returns the acknowledgement, which must be a success.
func ask(t testing.TB, c *raw.Client, event string, arg any) answer {
	t.Helper()
	a := parseAnswer(t, c.Ask(event, arg))
	if !a.Success {
		t.Fatalf("%s: error %s", event, a.Error.Code)
	}
	return a
}

func parseAnswer(t testing.TB, e raw.Event) (a answer) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.Arg(0)), &a); err != nil {
		t.Fatalf("acknowledgement %v: %v", e.Args, err)
	}
	return a
}

// notify publishes a notification and returns the answer's delivered.
func notify(t testing.TB, from *raw.Client, user string) bool {
	t.Helper()
	return ask(t, from, "publish-notification", map[string]string{"targetUserId": user, "type": "INFO", "title": "hello"}).Delivered
}

// get sends a GET and returns the status and the body.
func (n *clusterNode) get(path string) (status int, body map[string]any) {
	n.t.Helper()
	client := http.Client{Timeout: raw.Timeout}
	defer client.CloseIdleConnections()
	resp, err := client.Get(n.url + path)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		n.t.Fatal(err)
	}
	return resp.StatusCode, body
}

func (n *clusterNode) users() int {
	_, body := n.get("/api/ws/stats")
	count, _ := body["connectedUsers"].(float64)
	return int(count)
}

// degraded reports whether the node is cut off from the cluster now; earlier losses do not count.
func (n *clusterNode) degraded() bool {
	_, body := n.get("/readyz")
	d, _ := body["degraded"].(map[string]any)
	return d != nil && d["connected"] != true
}

// startCluster starts n nodes and waits until they are connected.
func startCluster(t testing.TB, redis *redistest.Server, n int, env ...string) []*clusterNode {
	t.Helper()
	nodes := make([]*clusterNode, n)
	for i := range nodes {
		nodes[i] = startNode(t, append([]string{"REDIS_URL=" + redis.URL()}, env...)...)
	}
	connected(t, nodes...)
	return nodes
}

// connected waits until the nodes share presence and messages in every direction.
func connected(t testing.TB, nodes ...*clusterNode) {
	t.Helper()
	for i, n := range nodes {
		waittest.Until(t, fmt.Sprint("node ", i, " is connected"), func() bool { return !n.degraded() })
	}
	var probes []*raw.Client
	for i, n := range nodes {
		probes = append(probes, n.device(fmt.Sprint("probe", i), "probes"))
	}
	for i, p := range probes {
		waittest.Until(t, fmt.Sprint("node ", i, " sees all"), func() bool {
			return ask(t, p, "join-room", "probes").Total == len(nodes)
		})
	}
	// Presence and messages use separate connections: wait for both.
	for _, from := range probes {
		for i, to := range probes {
			waittest.Until(t, fmt.Sprint("node ", i, " is reached"), func() bool {
				ask(t, from, "publish-notification", map[string]string{"targetUserId": fmt.Sprint("probe", i), "type": "INFO", "title": "x"})
				return slices.Contains(to.Names(), "notification")
			})
			to.Clear()
		}
	}
	for _, p := range probes {
		p.Close()
	}
	for i, n := range nodes {
		waittest.Until(t, fmt.Sprint("node ", i, " sees the probes gone"), func() bool { return n.users() == 0 })
	}
}

var timestamps = regexp.MustCompile(`,"timestamp":"[^"]*"`)

// text returns the first argument of an event without its timestamp.
func text(e raw.Event) string { return timestamps.ReplaceAllString(e.Arg(0), "") }
