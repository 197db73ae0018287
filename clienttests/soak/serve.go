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

	"github.com/puente-io/puente/clienttests/raw"
	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
)

// serveArg makes this program a node.
const serveArg = "serve"

// Questions that a node answers, a line each.
const (
	askNow     = "now"     // what it needs
	askSettled = "settled" // the same when all that is free has been given back
)

// figures are what a node needs. Of an executable heap and goroutines are not
// known, and 0.
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

// serve is command puente, with the environment for configuration, that prints
// its address and then answers questions until stdin ends, which stops it. It
// returns the exit code.
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
	go func() { // ends with stdin, at the latest with the process
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

// measure says what this process needs.
func measure(settled bool) (f figures, err error) {
	if settled {
		runtime.GC()
		debug.FreeOSMemory() // collects once more: what pools keep goes with the second
	}
	f, err = needs("self")
	f.Descriptors-- // one was the directory
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.Heap = int64(m.HeapAlloc)
	f.Goroutines, _ = raw.Goroutines()
	return f, err
}

// needs says what the system knows of a process.
func needs(pid string) (f figures, err error) {
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
