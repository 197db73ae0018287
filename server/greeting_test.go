package server

import (
	"io"
	"strings"
	"testing"
)

// The greeting of a development node shows the URL, whether rooms are in memory or in
// Redis, and who may connect.
func TestFirstScreen(t *testing.T) {
	for _, tc := range []struct {
		env  env
		want []string
	}{
		{env{"JWT_SECRET": ""}, []string{"cluster         in memory", "has 30s to authenticate"}},
		{env{"JWT_SECRET": "", "WS_AUTH_REQUIRED": "true", "REDIS_URL": "redis://127.0.0.1:1"}, []string{"cluster         Redis", "authentication  required: a connection without a token is refused"}},
	} {
		n := start(t, tc.env)
		n.until("it has greeted", func() bool { return strings.Contains(n.log.String(), "puente token --user bob --port ") })
		text := n.log.String()
		for _, want := range append(tc.want, "Puente serves at "+n.url+"\n", "url="+n.url) {
			if !strings.Contains(text, want) {
				t.Errorf("%v: no %q in %s", tc.env, want, text)
			}
		}
		for _, wrong := range []string{"???", "\x1b"} {
			if strings.Contains(text, wrong) {
				t.Errorf("%v: %q in %q", tc.env, wrong, text)
			}
		}
	}
}

func TestURL(t *testing.T) {
	for host, want := range map[string]string{"": "http://localhost:", "0.0.0.0": "http://localhost:", "127.0.0.1": "http://127.0.0.1:", "::1": "http://[::1]:"} {
		srv, err := New(env{"HTTP_HOST": host}.parse(t), io.Discard)
		if err != nil {
			t.Log(err) // no IPv6 here
			continue
		}
		if got := srv.url(); !strings.HasPrefix(got, want) {
			t.Errorf("HTTP_HOST=%s: %s", host, got)
		}
		srv.listener.Close()
		srv.close(t.Context())
	}
}

// In production the first line of the log shows the same.
func TestServingLine(t *testing.T) {
	n := start(t, env{"NODE_ENV": "production"})
	n.until("it serves", func() bool { return strings.Contains(n.log.String(), "serving") })
	line := lines(t, n.log.String(), "serving")[0]
	for name, want := range map[string]string{"url": n.url, "cluster": "memory", "authentication": "optional"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %s", name, line[name], want)
		}
	}
}
