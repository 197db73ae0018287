package compare

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
	"github.com/puente-io/puente/cmd/puente-bench/internal/stats"
	"github.com/redis/go-redis/v9"
)

// sample has two servers. The second failed in one workload and was twice as good in the others.
func sample() *Report {
	r := &Report{Date: "2026-01-02 03:04 UTC", Machine: "2 cores", Rounds: 3, Specs: Plan(true),
		Servers: []ServerInfo{{node, "Node", "v1", false}, {"puente", "Puente & Co", "v2", true}}, Cells: map[string]map[string]*Cell{}}
	for _, spec := range r.Specs {
		for i, s := range r.Servers {
			for round := range 3 {
				f := float64(round+1) / float64(i+1)
				r.cell(s.Name, spec.Name).Runs = append(r.cell(s.Name, spec.Name).Runs, load.Result{
					Spec: spec, CPU: 10 * f, PerSecond: 9_000 * float64(i+1), RSS: 100 << 20, IdleKiB: 20 * f, UsedKiB: 30 * f,
					Latency: stats.Latency{P50: f, P99: 30 * f, P999: 40 * f},
				})
			}
		}
	}
	r.cell("puente", "polling").Failure = "load: broke off:\n`really`"
	return r
}

func TestMediansAndRatios(t *testing.T) {
	r := sample()
	if v, ok := r.value(node, "echo", cpu); !ok || v != 20 {
		t.Errorf("median %v, %v; want 20", v, ok)
	}
	if v, ok := r.ratio("puente", "echo", cpu); !ok || v != 0.5 {
		t.Errorf("ratio %v, %v; want 0.5", v, ok)
	}
	if v, ok := r.ratio("puente", "polling", cpu); ok {
		t.Errorf("ratio %v of a failed workload", v)
	}
	if v, ok := r.value("puente", "no such workload", cpu); ok {
		t.Errorf("value %v of a workload that did not run", v)
	}
}

func TestVerdicts(t *testing.T) {
	r := sample()
	r.cell("puente", specConnect).Failure = "broke off"
	want := map[string][2]string{ // Node, Puente
		"connect under 50 ms":  {"**fail** (60.0)", "**fail** (broke off)"},
		"message under 2 ms":   {"not measured", "not measured"},
		"10,000 messages/s":    {"**fail** (9,000)", "pass (18,000)"},
		"1,000 connections":    {"pass (1,000)", "pass (1,000)"},
		"50 KB per connection": {"**fail** (60.0)", "pass (30.0)"},
		"under 100 MB in all":  {"**fail** (100)", "**fail** (100)"},
	}
	for _, target := range targets {
		if _, ok := want[target.title]; !ok {
			t.Errorf("the test has no verdict for %q", target.title)
		}
		for i, s := range r.Servers {
			if got := r.verdict(s.Name, target); got != want[target.title][i] {
				t.Errorf("%s, %s: %q, want %q", target.title, s.Name, got, want[target.title][i])
			}
		}
	}
}

func TestOwnVerdicts(t *testing.T) {
	r := &Report{Specs: Plan(false), Servers: []ServerInfo{{node, "Node", "", false}, {bun, "Bun", "", false}, {"puente", "Puente", "", true}},
		Cells: map[string]map[string]*Cell{}}
	for _, spec := range r.Specs {
		for i, s := range r.Servers {
			f := []float64{10, 5, 2}[i]
			r.cell(s.Name, spec.Name).Runs = []load.Result{{CPU: f, IdleKiB: f, UsedKiB: 3 * f, Latency: stats.Latency{P50: f, P99: f, P999: 20 - f}}}
		}
	}
	r.cell("puente", "fan-out to 10,000").Runs[0].CPU = 3
	r.cell(bun, specRooms).Runs = nil
	page := r.Markdown("")
	for _, want := range []string{
		"| target | judged by | Puente |\n",
		"| ≤ 0.2× Node | echo, CPU | pass (0.20×) |\n",
		"| ≤ 0.33× Bun | fan-out to 1,000, CPU | **fail** (0.40×) |\n",
		"≤ 1.1× | **fail** (1.50×) |\n",
		"| ≤ 1× Bun | rooms of 10, CPU | not measured |\n",
		"| ≤ 5 KiB per connection | 5,000, idle, bare headers | pass (2.00) |\n",
		"| ≤ 6 KiB per connection | 5,000, after traffic, bare headers | pass (6.00) |\n",
		"| no later than Node | echo at 1,000/s, p50 ms | pass (0.20×) |\n",
		"| no later than Node | echo at 1,000/s, p99.9 ms | **fail** (1.80×) |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in the page", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

// Workloads of other clients than plain ones are run on servers that can serve them, with the settings that they need.
func TestForms(t *testing.T) {
	servers, err := Servers([]string{node, bun, "zishang520", "puente", "before=/a/puente"}, "peers", "bin")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ servers, settings string }{
		specEcho:        {"node bun zishang520 puente before", ""},
		specPlain:       {"node puente before", ""},
		specDeflate:     {"node puente before", "WS_PER_MESSAGE_DEFLATE=true"},
		specDeflate5000: {"node puente before", "WS_PER_MESSAGE_DEFLATE=true"},
		specMsgpack:     {"node puente before", "PEER_PARSER=msgpack"},
		"fan-out to 500 text and 500 msgpack clients":                {"puente before", "PEER_PARSER=msgpack"},
		"fan-out to 500 clients of protocol 4 and 500 of protocol 3": {"node puente before", "WS_ALLOW_EIO3=true"},
	} {
		i := slices.IndexFunc(Plan(false), func(s load.Spec) bool { return s.Name == name })
		if i < 0 {
			t.Errorf("%q is not in the plan", name)
			continue
		}
		spec := Plan(false)[i]
		var run []string
		for _, s := range servers {
			if s.runs(spec) {
				run = append(run, s.Name)
			}
		}
		if got := strings.Join(run, " "); got != want.servers {
			t.Errorf("%s runs on %s, want %s", name, got, want.servers)
		}
		if got := strings.Join(settings(spec), " "); got != want.settings {
			t.Errorf("%s has settings %s, want %s", name, got, want.settings)
		}
	}
}

// A workload that a server does not run has no figure, and no failure.
func TestNotRun(t *testing.T) {
	r := &Report{Rounds: 1, Specs: Plan(false), Servers: []ServerInfo{{node, "Node", "", false}, {"puente", "Puente", "", true}}, Cells: map[string]map[string]*Cell{}}
	mixed := "fan-out to 500 text and 500 msgpack clients"
	r.cell("puente", mixed).Runs = []load.Result{{CPU: 2, PerSecond: 9, Latency: stats.Latency{P50: 1, P99: 1, P999: 1}}}
	r.cell("puente", specBare).Runs = []load.Result{{UsedKiB: 4}}
	r.cell("puente", specDeflate5000).Runs = []load.Result{{UsedKiB: 4.25}}
	page := r.Markdown("")
	for _, want := range []string{
		"| " + mixed + " | n/a | 2.00 |\n", "; clients in turn: plain, socket.io-msgpack-parser; Node has one parser for all clients.\n",
		"KiB more than " + specBare + " | **fail** (0.25) |\n", ", each with 4,096 B of JSON records; clients in turn: plain, permessage-deflate without context takeover.\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in the page", want)
		}
	}
	if strings.Contains(page, "## Failures") {
		t.Error("failures")
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestTargetsNameWorkloadsOfThePlan(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Plan(false) {
		if names[s.Name] {
			t.Errorf("%q is planned twice", s.Name)
		}
		names[s.Name] = true
	}
	for _, target := range slices.Concat(targets, ownTargets()) {
		if !names[target.spec] || target.over != "" && !names[target.over] || target.above != "" && !names[target.above] {
			t.Errorf("target %q refers to %q, which is not in the plan", target.title, target.spec)
		}
	}
	for _, s := range Plan(true) {
		if !names[s.Name] {
			t.Errorf("quick workload %q is not in the full plan", s.Name)
		}
	}
}

func TestMarkdown(t *testing.T) {
	page := sample().Markdown("plot.svg")
	for _, want := range []string{
		"2026-01-02 03:04 UTC, 2 cores. Medians of 3 rounds.",
		"](plot.svg)",
		"| echo | 20.0 | 10.0 (0.50×, 0.50–0.50) |\n",
		"| polling | 20.0 | broke off |\n",
		"| 5,000 connections, after traffic | 60.0 | 30.0 (0.50×, 0.50–0.50) |\n",
		"| Puente & Co | 18,000 (2.00×) | 10.0 (0.50×) | 1.00 (0.50×) | 30.0 (0.50×) | 40.0 (0.50×) | 100 (1.00×) |\n",
		"- Puente & Co, polling: `load: broke off: 'really'`\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in the page", want)
		}
	}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") < 3 {
			t.Errorf("broken row %q", line)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

// clusterSample has two servers. Node lost messages in one round of three, and Puente took a quarter of the CPU.
func clusterSample() *Report {
	r := &Report{Date: "2026-01-02 03:04 UTC", Machine: "2 cores", Rounds: 3, Specs: Cluster(true),
		Servers: []ServerInfo{{node, "Node", "v1", false}, {"puente", "Puente", "v2", true}}, Cells: map[string]map[string]*Cell{}}
	for _, spec := range r.Specs {
		for i, s := range r.Servers {
			for round := range 3 {
				c := r.cell(s.Name, spec.Name)
				c.Runs = append(c.Runs, load.Result{Spec: spec, CPU: []float64{20, 5}[i], BrokerCPU: 0.5, Peak: int64(300-200*i) << 20,
					Seconds: 2, Lost: int64((1 - i) * (round % 2) * 1234)})
			}
		}
	}
	return r
}

func TestClusterMarkdown(t *testing.T) {
	page := clusterSample().ClusterMarkdown()
	for _, want := range []string{
		"| fan-out over two nodes | 20.0 | 5.00 (0.25×, 0.25–0.25) |\n",
		"| both nodes, several updates in flight | 1 | pass (0.25×) |\n",
		"| deliveries lost, repeated, out of order | **fail** (1,234) | pass (0) |\n",
		"MiB | **fail** (300) | pass (100) |\n",
		"| Puente | 2.00 (1.00×) | 0.00 | 5.00 (0.25×) | 0.50 (1.00×) | 0 | 0 | 0 | 100 (0.33×) |\n",
		"1,000 members over 2 nodes, updates in flight: 4.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in the page", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestClusterTargetsNameWorkloadsOfThePlan(t *testing.T) {
	for _, target := range clusterTargets {
		if !slices.ContainsFunc(Cluster(true), func(s load.Spec) bool { return s.Name == target.spec }) {
			t.Errorf("target %q refers to %q, which is not in the plan", target.title, target.spec)
		}
	}
	r := clusterSample()
	r.cell("puente", specCluster).Runs[1].CPU = 6
	r.cell("puente", specCluster).Runs[2].CPU = 6
	if got := r.verdict("puente", clusterTargets[0]); got != "**fail** (0.30×)" {
		t.Errorf("verdict %q on 6 of 20 µs", got)
	}
}

func TestClustersNeedRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Run(t.Context(), Options{Specs: Cluster(true)}); !errors.Is(err, ErrNoRedis) {
		t.Errorf("got %v, want ErrNoRedis", err)
	}
}

// assembled counts the subscribers of the channel requests.
func TestAssembled(t *testing.T) {
	if _, err := exec.LookPath(redisServer); err != nil {
		t.Skip("needs redis-server")
	}
	p, err := startRedis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	client := redis.NewClient(&redis.Options{Addr: p.addr, Protocol: 2})
	defer client.Close()
	done := make(chan error, 1)
	go func() { done <- assembled(t.Context(), p.addr, 2) }()
	for range 2 {
		select {
		case err := <-done:
			t.Fatalf("assembled before both were there: %v", err)
		default:
		}
		sub := client.Subscribe(t.Context(), requests)
		defer sub.Close()
		if _, err := sub.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	plot := sample().SVG()
	rects := 0
	for d := xml.NewDecoder(strings.NewReader(plot)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			rects++
		}
	}
	// The background, two in the legend, and a bar for each of eight headlines and two servers, except the failed one.
	if want := 1 + 2 + 8*2 - 1; rects != want {
		t.Errorf("%d rectangles, want %d", rects, want)
	}
}

// Two builds of Puente are compared like any two servers; ratios refer to the first.
func TestBuilds(t *testing.T) {
	servers, err := Servers([]string{"before=/a/puente", "after=/b/puente"}, "peers", "bin")
	if err != nil || len(servers) != 2 || servers[1].Title != "after" || servers[1].dir != "/b/puente" {
		t.Fatalf("%+v, %v", servers, err)
	}
	if _, err := Servers([]string{"a=/x", "a=/y"}, "peers", "bin"); !errors.Is(err, ErrUnknownServer) {
		t.Errorf("one name twice: %v", err)
	}
	r := &Report{Rounds: 2, Specs: Plan(true)[:1], Servers: []ServerInfo{{"before", "before", "", true}, {"after", "after", "", true}}, Cells: map[string]map[string]*Cell{}}
	for _, runs := range [][2]float64{{10, 8}, {20, 18}} {
		for i, s := range r.Servers {
			r.cell(s.Name, "echo").Runs = append(r.cell(s.Name, "echo").Runs, load.Result{CPU: runs[i]})
		}
	}
	page := r.Markdown("")
	for _, want := range []string{"| echo | 15.0 | 13.0 (0.87×, 0.80–0.90) |\n", "its ratio to before's"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

// A peer that cannot be installed is reported; a build of Puente that cannot be prepared is an error.
func TestServerThatCannotBePrepared(t *testing.T) {
	broken := func(context.Context, *Server) error { return errors.New("no registry") }
	peer := &Server{Name: bun, Title: "Bun", prepare: broken}
	o := Options{Servers: []*Server{peer}, Specs: Plan(true), Rounds: 2, Log: t.Logf}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	page := r.Markdown("")
	for _, want := range []string{"- **Bun**: could not be installed\n", "| echo | broke off |", "- Bun, polling: `no registry`\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	peer.own = true
	if _, err := Run(t.Context(), o); err == nil {
		t.Error("no error without a build of Puente")
	}
}

// A server whose process ends is reported, and not run again; a round that would exceed the limit is not started.
func TestServerThatDies(t *testing.T) {
	var lines []string
	o := Options{
		Servers: []*Server{{Name: "false", Title: "False", prepare: func(_ context.Context, s *Server) error { s.command = []string{"false"}; return nil }}},
		Specs:   Plan(true)[:2], Rounds: 2, Limit: time.Nanosecond,
		Log: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) },
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.cell("false", specEcho).Failure; !strings.Contains(f, "did not start") {
		t.Errorf("failure %q", f)
	}
	if r.Rounds != 1 || len(lines) != 4 || !strings.Contains(lines[3], "round 2 is skipped") {
		t.Errorf("%d rounds, lines %q", r.Rounds, lines)
	}
}

func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00", 0.0123: "0.012", 0.5: "0.50", 12.34: "12.3", 123.4: "123", 1234.5: "1,235", 1234567: "1,234,567"} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestUnknownServer(t *testing.T) {
	if _, err := Servers([]string{node, "apache"}, "peers", "bin"); !errors.Is(err, ErrUnknownServer) {
		t.Errorf("got %v, want ErrUnknownServer", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var log tail
	for range 1000 {
		log.Write([]byte("0123456789"))
	}
	log.Write([]byte("the end\n"))
	if s := log.String(); len(s) > 4096 || !strings.HasSuffix(s, "the end") {
		t.Errorf("%d bytes, ends with %q", len(s), s[max(0, len(s)-10):])
	}
}

func TestServerThatExitsIsReported(t *testing.T) {
	s := &Server{Title: "false", command: []string{"false"}}
	began := time.Now()
	if _, err := s.start(t.Context()); !errors.Is(err, ErrStart) {
		t.Errorf("got %v, want ErrStart", err)
	}
	if time.Since(began) >= startLimit {
		t.Error("start waited for a process that had exited")
	}
}
