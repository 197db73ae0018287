package clienttests_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

// startProxy runs a proxy in the foreground until the test ends and waits until it
// listens on the Unix sockets, which are in the returned directory beside the
// configuration. It skips the test if the proxy is not installed.
func startProxy(t *testing.T, name string, config func(dir string) string, args func(file string) []string, sockets ...string) (dir string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil { // sbin may not be in PATH
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	dir, err = os.MkdirTemp("", "proxy") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(config(dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args(file)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait() // the exit status does not matter
	})
	for _, socket := range sockets {
		for end := time.Now().Add(raw.Timeout); ; time.Sleep(10 * time.Millisecond) {
			conn, err := net.Dial("unix", filepath.Join(dir, socket))
			if err == nil {
				conn.Close()
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s does not listen: %v", name, err)
			}
		}
	}
	return dir
}

// dialUnix returns a dial function that ignores the address and connects to the
// socket.
func dialUnix(socket string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
}

// nginx returns a configuration that forwards everything to a node. Each server has
// the lines of a common way to configure that.
func nginx(node string, servers map[string]string) func(string) string {
	return func(dir string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "daemon off;\nmaster_process off;\npid %[1]s/pid;\nerror_log %[1]s/error.log;\nevents {}\nhttp {\naccess_log off;\n", dir)
		b.WriteString("map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n")
		b.WriteString("map $http_upgrade $connection_kept { default upgrade; '' keep-alive; }\n")
		fmt.Fprintf(&b, "upstream kept { server %s; keepalive 4; }\n", node)
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			fmt.Fprintf(&b, "%s_temp_path %s/%s;\n", kind, dir, kind)
		}
		for socket, lines := range servers {
			fmt.Fprintf(&b, "server {\nlisten unix:%s/%s;\nlocation / {\nproxy_set_header Upgrade $http_upgrade;\nproxy_set_header Host $host;\n%s\n}\n}\n",
				dir, socket, strings.ReplaceAll(lines, "NODE", "http://"+node))
		}
		b.WriteString("}\n")
		return b.String()
	}
}

// All transports work through nginx, with HTTP/1.0 to its upstream, which is its
// default, and with HTTP/1.1 and kept connections.
func TestNginx(t *testing.T) {
	n := startNode(t)
	servers := map[string]string{
		"http10":      "proxy_pass NODE;\nproxy_set_header Connection $connection_upgrade;",
		"http10-bare": "proxy_pass NODE;\nproxy_set_header Connection upgrade;", // for polls too
		"http10-kept": "proxy_pass http://kept;\nproxy_set_header Connection $connection_kept;",
		"http11":      "proxy_pass http://kept;\nproxy_http_version 1.1;\nproxy_set_header Connection $connection_kept;",
		"slashes":     "proxy_pass NODE//;\nproxy_set_header Connection $connection_upgrade;",
	}
	dir := startProxy(t, "nginx", nginx(host(t, n.url), servers), func(file string) []string {
		return []string{"-p", filepath.Dir(file), "-c", file}
	}, "http10", "http10-bare", "http10-kept", "http11", "slashes")
	for name := range servers {
		for _, transport := range []raw.Transport{raw.WebSocket, raw.Polling, raw.Upgrade} {
			t.Run(name+"/"+transport.String(), func(t *testing.T) {
				user := name + transport.String()
				c := raw.Connect(t, "http://app.example", raw.Options{
					Transport: transport, Auth: map[string]string{"token": token(t, user)}, NetDial: dialUnix(filepath.Join(dir, name)),
				})
				c.Next("authenticated")
				for i := range 5 {
					room := fmt.Sprintf("%s-%d", user, i)
					want(t, c.Ask("join-room", room), `{"success":true,"roomId":"`+room+`","users":["`+user+`"],"total":1,"timestamp":T}`)
				}
				c.Close()
			})
		}
	}
}

// HAProxy with an "option httpchk" without a path considers a node up, and down when
// it drains.
func TestHAProxyBareCheck(t *testing.T) {
	t.Parallel()
	n := startNode(t, "SHUTDOWN_TIMEOUT=8000")
	for range 2 { // so that the drain takes a while
		n.device("ana")
	}
	dir := startProxy(t, "haproxy", func(dir string) string {
		return fmt.Sprintf("global\nstats socket %[1]s/admin\ndefaults\nmode http\ntimeout connect 10s\ntimeout client 10s\ntimeout server 10s\n"+
			"frontend front\nbind unix@%[1]s/front\ndefault_backend puente\n"+
			"backend puente\noption httpchk\nserver node %[2]s check inter 100 fall 1 rise 1\n", dir, host(t, n.url))
	}, func(file string) []string { return []string{"-db", "-f", file} }, "front", "admin")

	state := func() (status, check string) {
		conn, err := net.Dial("unix", filepath.Join(dir, "admin"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "show stat\n")
		rows := csv.NewReader(conn)
		rows.FieldsPerRecord = -1
		all, err := rows.ReadAll()
		if err != nil || len(all) == 0 {
			t.Fatalf("%v %v", all, err)
		}
		column := func(row []string, name string) string {
			for i, title := range all[0] {
				if title == name {
					return row[i]
				}
			}
			return ""
		}
		for _, row := range all {
			if len(row) > 1 && row[0] == "puente" && row[1] == "node" {
				return column(row, "status"), column(row, "check_status") + "/" + column(row, "check_code")
			}
		}
		return "", ""
	}
	await := func(status, check string) {
		t.Helper()
		for end := time.Now().Add(raw.Timeout); ; time.Sleep(20 * time.Millisecond) {
			s, c := state()
			if s == status && c == check {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the node is %s by %s, want %s by %s", s, c, status, check)
			}
		}
	}
	await("UP", "L7OK/204")
	client := http.Client{Transport: &http.Transport{DialContext: dialUnix(filepath.Join(dir, "front")), DisableKeepAlives: true}}
	res, err := client.Get("http://app.example/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("through the proxy: %d", res.StatusCode)
	}
	stopped := make(chan struct{})
	go func() { n.stop(); close(stopped) }()
	await("DOWN", "L7STS/503")
	<-stopped
}
