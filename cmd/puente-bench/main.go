// Command puente-bench measures a Socket.IO server that serves Puente's events under load, or compares several servers.
// See puente-bench -h.
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

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
)

const usage = `puente-bench measures a Socket.IO server that serves Puente's events under load.

  puente-bench WORKLOAD [flags]    run a workload against a running server
  puente-bench compare [flags]     start several servers and run all workloads against each
  puente-bench cluster [flags]     start Redis and two nodes of each server, and run fan-outs and a burst
  puente-bench hostile [flags]     start several servers and send each messages with expensive JSON

Workloads, and what counts as a message:
  echo      ping, answered by pong
  publish   publish-update to a room with the publisher only, received back and acknowledged
  fanout    a delivery; one member of a room publishes to all
  rooms     a delivery; in rooms of ten every member publishes
  polling   round trip of an acknowledged event over long-polling
  connect   WebSocket handshake and CONNECT with a token
  idle      memory per connection, before and after traffic (needs -pid)
  burst     a delivery; one member of a room publishes 20,000 updates in a tight loop

Example, for a server on this machine:
  JWT_SECRET=… puente-bench echo -url http://127.0.0.1:3001 -pid $(pidof puente)

Flags of a workload: puente-bench echo -h. Server CPU and memory are measured if -pid is set.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "puente-bench:", err)
		os.Exit(1)
	}
}

// run runs the command with the given arguments and environment.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		_, err := io.WriteString(stdout, usage)
		return err
	}
	for _, c := range comparisons {
		if args[0] == c.name {
			return c.run(ctx, args[1:], stdout, stderr)
		}
	}
	if args[0] == "hostile" {
		return runHostile(ctx, args[1:], stdout, stderr)
	}
	return runWorkload(ctx, load.Kind(args[0]), args[1:], getenv, stdout, stderr)
}
