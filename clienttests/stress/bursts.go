package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/puente-io/puente/clienttests/burst"
	"github.com/puente-io/puente/compat/raw"
)

// bursts publishes a burst to members on every transport and both nodes, of which some
// read slowly or pause. All receive all of it.
func bursts(b *round) {
	x := []burst.Burst{
		{Publishers: 2, Messages: 2000, Size: 500, Members: 30, Paused: 3, Pause: time.Second},
		{Publishers: 1, Messages: 100, Size: 10_000, Members: 200, Slow: 5, SlowRate: 500_000, Paused: 5, Pause: time.Second},
		{Publishers: 2, Messages: 75, Size: 66_000, Members: 30, Slow: 3, SlowRate: 4_000_000, Paused: 3, Pause: 2 * time.Second},
	}[b.rng.IntN(3)]
	for _, n := range b.cluster.nodes {
		x.Nodes = append(x.Nodes, n.url)
	}
	x.Reason = func(url, id string) string {
		for _, n := range b.cluster.nodes {
			if n.url == url {
				return n.reason(id)
			}
		}
		return ""
	}
	x.Publish, x.Room, x.Token, x.Window, x.Timeout = b.cluster.node(0).url, b.name, b.token, 16, time.Minute
	burst.Run(b, x)
	b.awaitGone(b.name)
}

// memoryBound is the memory that a node of largeBursts may use: its queues are bounded
// by 256 MiB, and Go's collector lets the heap grow to twice what is in use.
const memoryBound = 640 << 20

// largeBursts runs the binary as a single node and as two nodes over Redis, and
// publishes 1 and 10 MB to 1,000 members and 100 MB to 50. It returns the exit code.
func largeBursts(puente string, stdout, stderr io.Writer) int {
	failed := false
	for _, nodes := range []int{1, 2} {
		r := &runner{rounds: make(map[string]int)}
		c := &processes{puente: puente}
		b := &round{runner: r, name: "large"}
		b.do(func() { c.start(b, nodes) })
		for i, x := range []burst.Burst{
			{Publishers: 1, Messages: 100, Size: 10_000, Members: 1000, Slow: 30, SlowRate: 200_000, Paused: 30, Pause: 3 * time.Second},
			{Publishers: 2, Messages: 75, Size: 66_000, Members: 1000, Slow: 30, SlowRate: 1_000_000, Paused: 30, Pause: 3 * time.Second},
			{Publishers: 4, Messages: 400, Size: 62_500, Members: 50, Slow: 6, SlowRate: 5_000_000, Paused: 9, Pause: 5 * time.Second},
			{Publishers: 2, Messages: 10_000, Size: 500, Members: 50, Slow: 6, SlowRate: 1_000_000, Paused: 9, Pause: 5 * time.Second},
		} {
			if b.failed {
				break
			}
			x.Publish, x.Nodes = c.urls[0], c.urls[len(c.urls)-1:] // over Redis, if there are two
			x.Room, x.Token, x.Window, x.Timeout = fmt.Sprint("large-", i), b.token, 16, 10*time.Minute
			var res burst.Result
			b.do(func() { res = burst.Run(b, x) })
			fmt.Fprintf(stdout, "%d node(s), %d x %d bytes to %d: acknowledged in %v, complete in %v, memory %s\n", nodes, x.Publishers*x.Messages, x.Size, x.Members,
				res.Published.Round(time.Millisecond), res.Took.Round(time.Millisecond), c.memory())
			for i, bytes := range c.peaks() {
				if bytes > memoryBound {
					b.do(func() { b.Fatalf("node %d used %d bytes", i, bytes) })
				}
			}
		}
		for i := len(b.cleanups) - 1; i >= 0; i-- {
			b.cleanups[i]()
		}
		for _, v := range r.violations {
			failed = true
			fmt.Fprintln(stdout, "VIOLATION", v)
		}
		if b.failed {
			for _, log := range c.logs {
				fmt.Fprintf(stderr, "%s\n", log.Bytes())
			}
		}
	}
	if failed {
		return 1
	}
	return 0
}

// processes are nodes that run the binary.
type processes struct {
	puente string
	urls   []string
	pids   []int
	logs   []*bytes.Buffer
}

func (c *processes) start(b *round, n int) {
	env := append(os.Environ(), "HTTP_HOST=127.0.0.1", "JWT_SECRET="+secret, "LOG_LEVEL=warn", "WS_RATE_LIMIT=0")
	if n > 1 {
		path, err := exec.LookPath("redis-server")
		if err != nil {
			b.Fatalf("%v", err)
		}
		r, err := newRedis(path)
		if err == nil {
			err = r.up()
		}
		if err != nil {
			b.Fatalf("%v", err)
		}
		b.Cleanup(r.kill)
		env = append(env, "REDIS_URL="+r.url())
	}
	for range n {
		port, err := raw.Port()
		if err != nil {
			b.Fatalf("%v", err)
		}
		cmd := exec.Command(c.puente)
		cmd.Env = append(env, "HTTP_PORT="+port)
		log := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr, c.logs = log, log, append(c.logs, log)
		if err := cmd.Start(); err != nil {
			b.Fatalf("%v", err)
		}
		b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		c.urls, c.pids = append(c.urls, "http://127.0.0.1:"+port), append(c.pids, cmd.Process.Pid)
	}
	for _, url := range c.urls {
		if !eventually(func() bool {
			x, _, err := raw.Dial(b, url, raw.Options{})
			if err == nil {
				x.Close()
			}
			return err == nil
		}) {
			b.Fatalf("%s does not serve", url)
		}
	}
}

// peaks returns the peak resident memory of each node in bytes, or nothing if the
// system does not report it.
func (c *processes) peaks() (sizes []int) {
	if runtime.GOOS != "linux" {
		return nil
	}
	for _, pid := range c.pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(bytes.NewReader(status))
		for lines.Scan() {
			var kilobytes int
			if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kilobytes); n == 1 {
				sizes = append(sizes, kilobytes<<10)
			}
		}
	}
	return sizes
}

func (c *processes) memory() string {
	var parts []string
	for _, bytes := range c.peaks() {
		parts = append(parts, fmt.Sprintf("%d MB", bytes>>20))
	}
	return strings.Join(parts, ", ")
}
