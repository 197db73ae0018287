package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

// conns is the default number of connections.
var conns = map[load.Kind]int{
	load.Echo: 64, load.Publish: 64, load.Fanout: 1000, load.Rooms: 1000, load.Polling: 64, load.Connect: 3000, load.Idle: 5000, load.Burst: 50,
}

// inFlight is the default number of messages in flight per client.
var inFlight = map[load.Kind]int{load.Echo: 16, load.Publish: 4, load.Fanout: 4, load.Connect: 32, load.Idle: 64}

// forms is a flag of comma-separated forms of clients.
type forms []sio.Form

func (f *forms) String() string {
	var parts []string
	for _, form := range *f {
		parts = append(parts, string(form))
	}
	return strings.Join(parts, ",")
}

func (f *forms) Set(v string) error {
	*f = nil
	for part := range strings.SplitSeq(v, ",") {
		*f = append(*f, sio.Form(strings.TrimSpace(part)))
	}
	return nil
}

// sizes is a flag of comma-separated byte counts.
type sizes []int

func (s *sizes) String() string {
	var parts []string
	for _, n := range *s {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ",")
}

func (s *sizes) Set(v string) error {
	*s = nil
	for part := range strings.SplitSeq(v, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number of bytes", part)
		}
		*s = append(*s, n)
	}
	return nil
}

func runWorkload(ctx context.Context, kind load.Kind, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if _, known := conns[kind]; !known {
		return fmt.Errorf("unknown workload %q; puente-bench -h lists them", kind)
	}
	s := load.Spec{Kind: kind}
	var t load.Target
	var timing load.Timing
	fs := flag.NewFlagSet("puente-bench "+string(kind), flag.ContinueOnError)
	fs.SetOutput(stderr)
	var node load.Node
	fs.StringVar(&node.URL, "url", "http://127.0.0.1:3001/socket.io/", "`URL` of the server: http or https, with the path if it is not /socket.io/")
	fs.StringVar(&t.Token, "token", "", "JWT of every client (default: one per client, for different users, signed with -secret)")
	fs.StringVar(&t.Secret, "secret", getenv("JWT_SECRET"), "HS256 secret that signs the clients' tokens (default $JWT_SECRET)")
	fs.Lookup("secret").DefValue = ""
	fs.BoolVar(&t.Insecure, "insecure", false, "do not verify the server's certificate")
	fs.IntVar(&node.PID, "pid", 0, "process `id` of the server if it runs on this machine, to measure its CPU and memory")
	fs.IntVar(&s.Conns, "conns", conns[kind], "number of connections")
	fs.IntVar(&s.InFlight, "inflight", inFlight[kind], "messages in flight per client (fanout: of the publisher; connect: handshakes)")
	fs.Float64Var(&s.Rate, "rate", 0, "messages per second of all clients together, sent without waiting for answers (0: as many as -inflight allows)")
	fs.IntVar(&s.Updates, "updates", 20_000, "burst: number of updates")
	fs.Var((*sizes)(&s.Sizes), "sizes", "publish: comma-separated payload sizes in `bytes`, sent in turn (default 64); fanout: bytes of JSON records in each payload (default 0)")
	fs.Var((*forms)(&s.Forms), "forms", "comma-separated forms of the clients, in turn: text, deflate, msgpack, protocol3 (default text)")
	fs.BoolVar(&s.Binary, "binary", false, "publish: send the payload as a binary attachment")
	fs.BoolVar(&s.Rehearse, "rehearse", false, "idle: exchange messages on other connections first")
	fs.BoolVar(&s.Browser, "browser", false, "send the headers of a browser")
	fs.DurationVar(&timing.Warmup, "warmup", 2*time.Second, "duration of the load before measuring")
	fs.DurationVar(&timing.Measure, "duration", 5*time.Second, "duration of measuring")
	fs.DurationVar(&timing.Settle, "settle", 5*time.Second, "duration without load before reading memory")
	asJSON := fs.Bool("json", false, "print the result as JSON")
	quiet := fs.Bool("quiet", false, "show no progress")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	t.Nodes = []load.Node{node}
	bar := newProgress(stderr, *quiet)
	res, err := load.Run(ctx, t, s, timing, bar.at(string(kind)))
	bar.clear()
	if err != nil {
		return err
	}
	if *asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(res)
	}
	return printResult(stdout, res)
}

// printResult prints a result, one figure per line.
func printResult(w io.Writer, r load.Result) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-22s "+format+"\n", append([]any{name}, args...)...)
	}
	line("workload", "%s, %d connections", r.Spec.Name, r.Spec.Conns)
	line("messages", "%d in %.2f s", r.Messages, r.Seconds)
	line("messages/s", "%.0f", r.PerSecond)
	if r.Spec.Kind == load.Burst {
		line("faults", "%d lost, %d twice, %d out of order", r.Lost, r.Twice, r.Late)
	}
	line("latency ms", "p50 %.3f  p99 %.3f  p99.9 %.3f  max %.3f", r.Latency.P50, r.Latency.P99, r.Latency.P999, r.Latency.Max)
	if r.RSS > 0 {
		line("server CPU µs/message", "%.2f", r.CPU)
		line("server memory MiB", "%.1f", float64(r.RSS)/(1<<20))
	}
	if r.BaseRSS > 0 {
		line("memory KiB/connection", "%.2f idle, %.2f after traffic", r.IdleKiB, r.UsedKiB)
	}
	line("own CPU µs/message", "%.2f", r.ClientCPU)
	_, err := io.WriteString(w, b.String())
	return err
}
