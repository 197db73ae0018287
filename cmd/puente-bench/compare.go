package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/puente-io/puente/cmd/puente-bench/internal/compare"
	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
)

const plotName = "results.svg"

func runCompare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("puente-bench compare", flag.ContinueOnError)
	fs.SetOutput(stderr)
	quick := fs.Bool("quick", false, "fewer workloads, short, one round, Node and Puente: a minute and a half")
	names := fs.String("servers", "", "servers, separated by commas (default node,bun,zishang520,puente)")
	only := fs.String("only", "", "run only workloads whose name this regular `expression` matches")
	rounds := fs.Int("rounds", 0, "how often everything is run (default 3, quick 1)")
	peers := fs.String("peers", "compat/peers", "`directory` of the peers")
	binary := fs.String("puente", "bin/puente", "Puente's `executable`")
	out := fs.String("out", "", "`directory` for RESULTS.md, "+plotName+" and results.json (default: print the page alone)")
	quiet := fs.Bool("quiet", false, "show no progress")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *names == "" {
		*names = "node,bun,zishang520,puente"
		if *quick {
			*names = "node,puente"
		}
	}
	if *rounds == 0 {
		*rounds = 3
		if *quick {
			*rounds = 1
		}
	}
	servers, err := compare.Servers(strings.Split(*names, ","), *peers, *binary)
	if err != nil {
		return err
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var specs []load.Spec
	for _, s := range compare.Plan(*quick) {
		if match.MatchString(s.Name) {
			specs = append(specs, s)
		}
	}
	if len(specs) == 0 {
		return fmt.Errorf("no workload matches %q", *only)
	}
	bar := newProgress(stderr, *quiet)
	rep, err := compare.Run(ctx, compare.Options{
		Servers: servers, Specs: specs, Timing: compare.Timing(*quick), Rounds: *rounds, Progress: bar.at,
		Log: func(format string, args ...any) {
			bar.clear()
			fmt.Fprintf(stderr, format+"\n", args...)
		},
	})
	bar.clear()
	if err != nil {
		return err
	}
	if *out == "" {
		_, err := io.WriteString(stdout, rep.Markdown(""))
		return err
	}
	raw, err := json.MarshalIndent(rep, "", " ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.MkdirAll(*out, 0o755),
		os.WriteFile(filepath.Join(*out, "RESULTS.md"), []byte(rep.Markdown(plotName)), 0o644),
		os.WriteFile(filepath.Join(*out, plotName), []byte(rep.SVG()), 0o644),
		os.WriteFile(filepath.Join(*out, "results.json"), append(raw, '\n'), 0o644),
	)
}
