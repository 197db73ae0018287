// Command soak runs a node for a long time while clients on every transport connect,
// send to each other and disconnect in different ways. It checks that each client
// receives exactly what it should, in order, and that afterwards the node uses no
// more heap, resident memory, goroutines and file descriptors than before.
//
// The node is a child process that runs the same server as command puente and reports
// its resources when asked (see serve). With -puente it is an executable of command
// puente, of which only descriptors and resident memory can be measured. The same
// clients warm the node up before the first measurement, so that its caches and pools
// are filled.
//
// It exits with 1 if any check fails. It prints its seed, which repeats the clients'
// choices but not their interleaving.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// heapSlack is by how many bytes the heap may grow: tables do not shrink below the
// largest number of clients at once, which varies.
const heapSlack = 1 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 2 && os.Args[1] == serveArg {
		os.Exit(serve(ctx, os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "random seed of the clients' choices")
	duration := flags.Duration("duration", 10*time.Minute, "duration of the run, after the warm-up")
	groups := flags.Int("groups", 12, "number of concurrent groups, of about ten clients each")
	resident := flags.Int64("resident", 10, "`MiB` by which the resident memory may grow")
	puente := flags.String("puente", "", "test this `executable` of command puente, without measuring heap and goroutines")
	if flags.Parse(args) != nil || flags.NArg() > 0 || *groups < 1 {
		return 2
	}
	start := startNode
	if *puente != "" {
		start = func(log io.Writer) (*node, error) { return startExecutable(*puente, log) }
	}
	n, err := start(stderr)
	if err != nil {
		fmt.Fprintln(stderr, "soak:", err)
		return 1
	}
	s := &soak{node: n, seed: *seed, groups: *groups, out: stdout, began: time.Now(), settling: 4 * time.Second}
	fmt.Fprintf(stdout, "seed %d, %d groups, %v\n", *seed, *groups, *duration)
	s.whole(ctx, *duration, *resident<<20)
	if err := n.stop(); err != nil {
		s.violation("stop", "%v", err)
	}
	return s.verdict()
}

// whole runs the warm-up and the soak, and compares the node's resources.
func (s *soak) whole(ctx context.Context, duration time.Duration, residentSlack int64) {
	s.load(ctx, 1, min(duration/4, 30*time.Second), 10*time.Second)
	before, ok := s.emptied("before")
	if !ok {
		return
	}
	s.load(ctx, 2, duration, time.Minute)
	after, ok := s.emptied("after")
	if !ok {
		return
	}
	if before.Goroutines > 0 {
		s.compare("goroutines", int64(before.Goroutines), int64(after.Goroutines), 0, 1, "")
		s.compare("heap", before.Heap, after.Heap, heapSlack, 1<<10, " KiB")
	}
	s.compare("descriptors", int64(before.Descriptors), int64(after.Descriptors), 0, 1, "")
	s.compare("resident memory", before.Resident, after.Resident, residentSlack, 1<<10, " KiB")
	if ctx.Err() != nil {
		s.violation("end", "interrupted")
	}
}

// compare prints a figure before and after, and adds a violation if it has grown by
// more than slack.
func (s *soak) compare(what string, before, after, slack, unit int64, name string) {
	verdict := "ok  "
	if after > before+slack {
		verdict = "FAIL"
		s.violation("end", "%s: %d%s became %d%s", what, before/unit, name, after/unit, name)
	}
	fmt.Fprintf(s.out, "%s  %-16s %7d%s became %d%s, at most %d%s allowed\n",
		verdict, what, before/unit, name, after/unit, name, (before+slack)/unit, name)
}

// verdict prints the violations and a summary, and returns the exit code.
func (s *soak) verdict() int {
	const most = 20
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, v := range s.violations {
		if i == most {
			fmt.Fprintf(s.out, "and %d more\n", len(s.violations)-most)
			break
		}
		fmt.Fprintln(s.out, "VIOLATION", v)
	}
	fmt.Fprintf(s.out, "%v, seed %d, %d rounds, %d connections, %d deliveries checked, %d violations: ",
		s.elapsed(), s.seed, s.rounds.Load(), s.connections.Load(), s.deliveries.Load(), len(s.violations))
	if len(s.violations) > 0 {
		fmt.Fprintln(s.out, "FAIL")
		return 1
	}
	fmt.Fprintln(s.out, "PASS")
	return 0
}

func (s *soak) elapsed() time.Duration { return time.Since(s.began).Round(time.Second) }
