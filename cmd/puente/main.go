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
	"sync"
	"syscall"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var tended sync.WaitGroup
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" { // or the operator decides
		tended.Go(func() { tendMemory(ctx) })
	}
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	tended.Wait()
	os.Exit(code)
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
