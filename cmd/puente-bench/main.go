// Command puente-bench puts a load on a Socket.IO server that speaks Puente's events, and measures it; or compares
// several servers. See puente-bench -h.
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

const usage = `puente-bench puts a load on a Socket.IO server that speaks Puente's events, and measures it.

  puente-bench WORKLOAD [flags]    one workload against a running server
  puente-bench compare [flags]     all workloads against several servers that it starts itself
  puente-bench cluster [flags]     fan-out and a burst over two nodes of each server and a Redis, which it starts itself
  puente-bench hostile [flags]     messages that are dear to read, sent to several servers that it starts itself

Workloads, and what counts as one message:
  echo      ping, answered by pong
  publish   publish-update to a room in which the publisher is alone, received back and acknowledged
  fanout    one delivery; one member of a room publishes to all
  rooms     one delivery; rooms of ten in which every member publishes
  polling   round trip of an acknowledged event over long-polling
  connect   WebSocket handshake and CONNECT with a token
  idle      memory per connection, before and after traffic (needs -pid)
  burst     one delivery; one member of a room publishes 20,000 updates in a tight loop

Example, for a server on this machine:
  JWT_SECRET=… puente-bench echo -url http://127.0.0.1:3001 -pid $(pidof puente)

Flags of a workload: puente-bench echo -h. Server CPU and memory are measured where -pid names its process.
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

// run is main without the process.
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
