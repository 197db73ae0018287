// Command crowd connects many clients, ten thousand by default, to a server that it
// starts as a child process. It restarts the server several times, and checks that
// every client reconnects as the same user, in the same room, and receives what is
// published then once.
//
// Server and clients are separate processes because each end of a connection needs
// a file descriptor, of which a process may often open no more than 20,000.
//
// It exits with 1 if any check fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// rounds are the ways to stop the server and to reconnect its clients.
var rounds = []struct {
	name    string
	kill    bool
	delayed bool
}{
	{"drained, clients with socket.io-client's delays", false, true},
	{"killed, all clients at once after the restart", true, false},
}

// run returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("crowd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	server := flags.String("server", "bin/puente", "`path` of the server's binary")
	clients := flags.Int("clients", 10_000, "number of clients, a multiple of ten")
	limit := flags.Duration("limit", 5*time.Minute, "maximum duration of the run")
	if flags.Parse(args) != nil || flags.NArg() > 0 || *clients <= 0 || *clients%roomSize != 0 {
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := play(ctx, *server, *clients, stdout); err != nil {
		fmt.Fprintln(stderr, "crowd:", err)
		return 1
	}
	return 0
}

func play(ctx context.Context, binary string, clients int, out io.Writer) (err error) {
	n, err := newNode(binary)
	if err != nil {
		return err
	}
	if err := n.start(ctx); err != nil {
		return err
	}
	defer func() {
		if n.kill(); err != nil {
			err = fmt.Errorf("%w; the server's log: %s", err, &n.log)
		}
	}()
	began := time.Now()
	c, err := newCrowd(ctx, n.addr, clients)
	if err != nil {
		return err
	}
	defer c.close()
	if err := arrived(n, c, "first", began, out); err != nil {
		return err
	}
	for _, r := range rounds {
		c.setReconnect(r.delayed)
		went := n.stop
		if r.kill {
			went = n.kill
		}
		leaving := time.Now()
		if err := went(); err != nil {
			return fmt.Errorf("%s: stopping the server: %w", r.name, err)
		}
		gone := time.Since(leaving)
		if err := n.start(ctx); err != nil {
			return err
		}
		back := time.Now()
		if err := c.waitDisconnected(); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		fmt.Fprintf(out, "%s: stopped after %v, %d sockets in TIME_WAIT\n", r.name, gone.Round(time.Millisecond), timeWait(n.port))
		c.open()
		if err := arrived(n, c, r.name, back, out); err != nil {
			return err
		}
	}
	return n.stop()
}

// arrived waits until all clients are connected, and checks what the server counts
// and delivers then.
func arrived(n *node, c *crowd, name string, since time.Time, out io.Writer) error {
	if err := c.waitConnected(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(out, "%s: all %d connected after %v: %s\n", name, len(c.members), time.Since(since).Round(time.Millisecond), c.report(since))
	if err := errors.Join(n.counts(len(c.members)), c.checkDelivery(n)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
