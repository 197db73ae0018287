// Command puente is a Socket.IO server with users, rooms, notifications and
// updates. "puente --help" says how it is configured.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
)

func main() {
	// Closing the terminal does not end a node, and SIGHUP does not reload settings.
	signal.Ignore(syscall.SIGHUP)
	ctx, stop := untilSignal()
	var tended sync.WaitGroup
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" { // or the operator decides
		tended.Go(func() { tendMemory(ctx) })
	}
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	tended.Wait()
	os.Exit(code)
}

// untilSignal returns a context that ends at the first SIGINT or SIGTERM, or by stop.
// After that a signal ends the process at once, as it does by default. The handler is
// removed before the context ends, so that no second signal is lost in between.
func untilSignal() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals)
		stop()
	}()
	return ctx, stop
}

// run runs the command and returns the exit code: 2 for a usage error, 1 for any other.
// environ has the form of os.Environ.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	cmd, err := config.Parse(args, lookup(environ), stdout)
	switch {
	case err != nil:
	case cmd.Action == config.MintToken:
		var token string
		if token, err = server.MintToken(cmd); err == nil {
			_, err = fmt.Fprintln(stdout, token)
		}
	case cmd.Action == config.Serve:
		cmd.Config.Notes = config.Misspelled(environ)
		err = server.Run(ctx, cmd.Config, stderr)
	}
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, "puente:", strings.TrimSpace(line))
	}
	if errors.Is(err, config.ErrUsage) {
		return 2
	}
	return 1
}

// lookup returns a function that does for environ what os.Getenv does for the process.
func lookup(environ []string) func(name string) string {
	vars := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			if _, twice := vars[name]; !twice { // the first counts, as in os.Getenv
				vars[name] = value
			}
		}
	}
	return func(name string) string { return vars[name] }
}
