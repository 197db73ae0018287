// Command puente is a Socket.IO server with users, rooms, notifications and
// updates. "puente --help" tells how it is configured.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
)

func main() {
	// What stays in memory is connections, thousands of small things, and little
	// is allocated besides: collecting twice as often as by default costs less
	// than the room that is kept otherwise.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the command; it returns the exit code: 2 for what was not understood.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cmd, err := config.Parse(args, getenv, stdout)
	switch {
	case err != nil:
	case cmd.Action == config.MintToken:
		var token string
		if token, err = server.MintToken(cmd); err == nil {
			_, err = fmt.Fprintln(stdout, token)
		}
	case cmd.Action == config.Serve:
		err = server.Run(ctx, cmd.Config, stderr)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "puente:", err)
	if errors.Is(err, config.ErrUsage) {
		return 2
	}
	return 1
}
