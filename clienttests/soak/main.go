// Command soak runs a node for a long time, while clients on all transports
// come, talk to each other and leave, politely or not, and checks that each gets
// exactly what it should, in order. When they have gone, the node must need what
// it needed before: heap, resident memory, goroutines and descriptors.
//
// The node is a process of its own, which runs what command puente runs, and
// tells what it needs when asked (see serve); or it is that command, as it was
// built, of which only descriptors and resident memory are known. Before the first measurement the
// same clients warm it up, so that what it keeps for the next ones is there.
//
// It exits with 1 where anything was wrong, and prints the seed, which repeats
// what clients choose, though not how they interleave.
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

// heapSlack is by how many bytes the heap may have grown at the end: tables keep
// the size of the greatest crowd, and that is chance.
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
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "repeats what clients choose")
	duration := flags.Duration("duration", 10*time.Minute, "how long it runs, after a warm-up")
	groups := flags.Int("groups", 12, "groups of clients at once, some ten clients each")
	resident := flags.Int64("resident", 10, "by how many `MiB` the resident memory may have grown at the end")
	puente := flags.String("puente", "", "soak this `executable` of command puente; what only a process itself can tell, heap and goroutines, is then not known")
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
		s.violation("the node's end", "%v", err)
	}
	return s.verdict()
}

// whole is the warm-up and the soak.
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
		s.violation("the end", "interrupted")
	}
}

// compare prints what became of a figure.
func (s *soak) compare(what string, before, after, slack, unit int64, name string) {
	verdict := "ok  "
	if after > before+slack {
		verdict = "FAIL"
		s.violation("the end", "%s: %d%s became %d%s", what, before/unit, name, after/unit, name)
	}
	fmt.Fprintf(s.out, "%s  %-16s %7d%s became %d%s, at most %d%s allowed\n",
		verdict, what, before/unit, name, after/unit, name, (before+slack)/unit, name)
}

// verdict prints what went wrong, and returns the exit code.
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
