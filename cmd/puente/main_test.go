package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) {
	if os.Getenv("PUENTE_TEST_AS_COMMAND") != "" {
		main()
		return
	}
	os.Exit(waittest.Run(m))
}

const secret = "JWT_SECRET=a secret of the tests, long enough"

func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for name, tc := range map[string]struct {
		args           []string
		env            []string
		code           int
		stdout, stderr string // parts of
	}{
		"help":                    {[]string{"--help"}, nil, 0, "HTTP_PORT", ""},
		"token":                   {[]string{"token", "--user", "ana"}, []string{secret}, 0, "eyJ", ""},
		"bad flag":                {[]string{"--no-such-flag"}, nil, 2, "", "no-such-flag"},
		"bad value":               {nil, []string{"HTTP_PORT=x"}, 2, "", `HTTP_PORT="x": must be`},
		"typo":                    {[]string{"tokn"}, nil, 2, "", "did you mean token?"},
		"version":                 {[]string{"version"}, nil, 0, "puente ", ""},
		"two bad values":          {nil, []string{"HTTP_PORT=x", "LOG_LEVEL=y"}, 2, "", "\npuente: LOG_LEVEL="},
		"bad secret is not shown": {nil, []string{"JWT_SECRET=-----BEGIN hunter2"}, 2, "", "JWT_SECRET"},
		"no key in production":    {nil, []string{"NODE_ENV=production"}, 2, "", "JWT_SECRET"},
		"port in use":             {nil, []string{secret, "HTTP_HOST=127.0.0.1", "HTTP_PORT=" + port}, 1, "", "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), tc.args, tc.env, &stdout, &stderr); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if !strings.Contains(stdout.String(), tc.stdout) || tc.stdout == "" && stdout.Len() > 0 {
				t.Errorf("stdout %q", stdout.String())
			}
			if !strings.Contains(stderr.String(), tc.stderr) || tc.stderr == "" && stderr.Len() > 0 {
				t.Errorf("stderr %q", stderr.String())
			}
			if strings.Contains(stderr.String(), "hunter2") {
				t.Errorf("stderr shows a secret: %q", stderr.String())
			}
			for line := range strings.Lines(stderr.String()) {
				if tc.code == 2 && !strings.HasPrefix(line, "puente: ") {
					t.Errorf("line %q", line)
				}
			}
		})
	}
}

// HARDENING, operation: exit code 0 within SHUTDOWN_TIMEOUT.
func TestServesUntilTold(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var log buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--shutdown-timeout=300", "--http-host=127.0.0.1", "--http-port=0"},
			[]string{secret, "NODE_ENV=production"}, &log, &log)
	}()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	url := "http://" + log.address(t)
	res, err := client.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("healthz: %d", res.StatusCode)
	}
	stop()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d: %s", got, &log)
	}
}

type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// wait waits until the log has the text, and returns what stands behind it.
func (b *buffer) wait(t *testing.T, text string) (after string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, after, ok := strings.Cut(b.String(), text); ok {
			return after
		}
	}
	t.Fatalf("the log has no %s: %s", text, b)
	return ""
}

// address waits for the log line that has the node's address, and returns the address.
func (b *buffer) address(t *testing.T) string {
	t.Helper()
	addr, _, _ := strings.Cut(b.wait(t, `"address":"`), `"`)
	return addr
}
