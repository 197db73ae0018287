package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
)

// serveArg is the argument that makes this program run a node.
const serveArg = "serve"

// Questions that a node answers, one per line.
const (
	askNow     = "now"     // its figures
	askSettled = "settled" // its figures after a collection that returns free memory
)

// figures are the resources that a node uses. Heap and goroutines of an executable
// are unknown, and 0.
type figures struct {
	Heap        int64 // bytes in use
	Resident    int64 // bytes
	Goroutines  int
	Descriptors int
}

func (f figures) String() string {
	if f.Goroutines == 0 {
		return fmt.Sprintf("resident %.1f MiB, %d descriptors", float64(f.Resident)/(1<<20), f.Descriptors)
	}
	return fmt.Sprintf("heap %.1f MiB, resident %.1f MiB, %d goroutines, %d descriptors",
		float64(f.Heap)/(1<<20), float64(f.Resident)/(1<<20), f.Goroutines, f.Descriptors)
}

// serve runs a node, configured by the environment. It prints the node's URL, and
// answers questions until stdin ends, which stops the node. It returns the exit code.
func serve(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd, err := config.Parse(nil, os.Getenv, io.Discard)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	srv, err := server.New(cmd.Config, stderr)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	fmt.Fprintln(stdout, "http://"+srv.Addr().String())
	go func() { // ends with stdin
		defer cancel()
		answers := json.NewEncoder(stdout)
		for lines := bufio.NewScanner(stdin); lines.Scan(); {
			f, err := measure(lines.Text() == askSettled)
			if err == nil {
				err = answers.Encode(f)
			}
			if err != nil {
				fmt.Fprintln(stderr, err)
				return
			}
		}
	}()
	if err := srv.Run(ctx); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// measure returns the figures of this process.
func measure(settled bool) (f figures, err error) {
	if settled {
		runtime.GC()
		debug.FreeOSMemory() // collects again: the second collection empties sync.Pools
	}
	f, err = usage("self")
	f.Descriptors-- // the directory that usage reads
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.Heap = int64(m.HeapAlloc)
	f.Goroutines, _ = raw.Goroutines()
	return f, err
}

// usage returns what the system reports about a process.
func usage(pid string) (f figures, err error) {
	open, err := os.ReadDir("/proc/" + pid + "/fd")
	if err != nil {
		return f, err
	}
	f.Descriptors = len(open)
	rollup, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if err != nil {
		return f, err
	}
	_, rss, _ := strings.Cut(string(rollup), "\nRss:")
	if _, err := fmt.Sscanf(rss, "%d kB", &f.Resident); err != nil {
		return f, fmt.Errorf("soak: smaps_rollup %.100q: %w", rollup, err)
	}
	f.Resident <<= 10
	return f, nil
}
