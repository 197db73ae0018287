// Command stress runs two nodes over one Redis in this process, sets clients of
// many bad kinds upon them at once, and checks that well-behaved clients notice
// nothing: each gets exactly what it should, in order, and its connection ends
// for the reason that it should. Two more nodes have a Redis that is killed again
// and again. At the end sessions, rooms, users, goroutines and memory must be
// back where they were.
//
// It exits with 1 where anything was wrong, and prints the seed, which repeats
// what clients choose, though not how goroutines interleave. Where redis-server
// is not installed it says so, and runs with one node.
//
// Then three nodes, each a process of its own, are killed and cut off from Redis
// while users come and go: so many rounds with the classic adapter, and as many with
// the sharded one. What each client was sent is compared with what was true.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/goleak"
)

func main() {
	if os.Getenv(nodeVariable) != "" {
		os.Exit(runNode())
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("stress", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "repeats what clients choose")
	duration := flags.Duration("duration", 30*time.Second, "how long it runs")
	rounds := flags.Int("presence", 200, "rounds in which nodes die while users come and go")
	puente := flags.String("bursts", "", "publish bursts of up to 100 MB to up to 1,000 clients of this binary instead, and measure its memory")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return 2
	}
	if *puente != "" {
		return largeBursts(*puente, stdout, stderr)
	}
	before := goleak.IgnoreCurrent()
	r, err := newRunner(*seed)
	if err != nil {
		fmt.Fprintln(stderr, "stress:", err)
		return 1
	}
	fmt.Fprintf(stdout, "seed %d, %d nodes\n", *seed, len(r.nodes()))
	r.run(*duration)
	r.stop()
	for i, adapter := range []string{"classic", "sharded"} {
		if counts := r.runPresence(*rounds/2, adapter, uint64(1000+i)); counts != "" {
			fmt.Fprintf(stdout, "presence, %s: %s\n", adapter, counts)
		}
	}
	if err := goleak.Find(before); err != nil {
		r.violation("stop", "%v", err)
	}
	for _, s := range r.scenarios {
		fmt.Fprintf(stdout, "%-16s%6d rounds\n", s.name, r.rounds[s.name])
	}
	for _, v := range r.violations {
		fmt.Fprintln(stdout, "VIOLATION", v)
	}
	fmt.Fprintf(stdout, "seed %d: %d violations\n", *seed, len(r.violations))
	if len(r.violations) > 0 {
		return 1
	}
	return 0
}
