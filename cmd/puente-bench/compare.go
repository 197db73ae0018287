package main

import (
	"cmp"
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
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/compare"
	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
)

const plotName = "results.svg"

// comparison is a subcommand that starts servers and compares them.
type comparison struct {
	name           string
	servers, quick string // defaults of -servers
	plan           func(quick bool) []load.Spec
	files          string // description of the files that -out writes
	write          func(rep *compare.Report, dir string, stdout io.Writer) error
}

var comparisons = []comparison{
	{
		name: "compare", servers: "node,bun,zishang520,puente", quick: "node,puente", plan: compare.Plan,
		files: "RESULTS.md, " + plotName + " and results.json to this `directory` instead of printing the page", write: writeResults,
	},
	{
		name: "cluster", servers: "node,puente", quick: "node,puente", plan: compare.Cluster,
		files: "CLUSTER.md to this `directory` and print it", write: writeCluster,
	},
}

func (c comparison) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("puente-bench "+c.name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	quick := fs.Bool("quick", false, "run fewer and shorter workloads (with -only, any of them), one round, on Node and Puente only")
	names := fs.String("servers", "", "comma-separated servers; name=path adds a build of Puente (default "+c.servers+")")
	only := fs.String("only", "", "run only workloads whose name matches this regular `expression`")
	rounds := fs.Int("rounds", 0, "number of rounds (default 3, quick 1)")
	var own load.Timing
	long, short := compare.Timing(false), compare.Timing(true)
	fs.DurationVar(&own.Warmup, "warmup", 0, fmt.Sprintf("duration of the load before measuring (default %v, quick %v)", long.Warmup, short.Warmup))
	fs.DurationVar(&own.Measure, "duration", 0, fmt.Sprintf("duration of measuring (default %v, quick %v)", long.Measure, short.Measure))
	fs.DurationVar(&own.Settle, "settle", 0, fmt.Sprintf("duration without load before reading memory (default %v, quick %v)", long.Settle, short.Settle))
	limit := fs.Duration("limit", 27*time.Minute, "maximum duration: no round after the first is started that would exceed it")
	peers := fs.String("peers", "compat/peers", "`directory` of the peers")
	binary := fs.String("puente", "bin/puente", "Puente's `executable`")
	out := fs.String("out", "", "write "+c.files)
	quiet := fs.Bool("quiet", false, "show no progress")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *names == "" {
		*names = c.servers
		if *quick {
			*names = c.quick
		}
	}
	if *rounds == 0 {
		*rounds = 3
		if *quick {
			*rounds = 1
		}
	}
	timing := compare.Timing(*quick)
	timing.Warmup = cmp.Or(own.Warmup, timing.Warmup)
	timing.Measure = cmp.Or(own.Measure, timing.Measure)
	timing.Settle = cmp.Or(own.Settle, timing.Settle)
	servers, err := compare.Servers(strings.Split(*names, ","), *peers, *binary)
	if err != nil {
		return err
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var specs []load.Spec
	for _, s := range c.plan(*quick && *only == "") {
		if match.MatchString(s.Name) {
			specs = append(specs, s)
		}
	}
	if len(specs) == 0 {
		return fmt.Errorf("no workload matches %q", *only)
	}
	bar := newProgress(stderr, *quiet)
	rep, err := compare.Run(ctx, compare.Options{
		Servers: servers, Specs: specs, Timing: timing, Rounds: *rounds, Limit: *limit, Progress: bar.at,
		Log: func(format string, args ...any) {
			bar.clear()
			fmt.Fprintf(stderr, format+"\n", args...)
		},
	})
	bar.clear()
	if errors.Is(err, compare.ErrNoRedis) {
		fmt.Fprintln(stderr, "skipped: clusters need redis-server, which is not installed")
		return nil
	}
	if err != nil {
		return err
	}
	return c.write(rep, *out, stdout)
}

func writeResults(rep *compare.Report, dir string, stdout io.Writer) error {
	if dir == "" {
		_, err := io.WriteString(stdout, rep.Markdown(""))
		return err
	}
	raw, err := json.MarshalIndent(rep, "", " ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(rep.Markdown(plotName)), 0o644),
		os.WriteFile(filepath.Join(dir, plotName), []byte(rep.SVG()), 0o644),
		os.WriteFile(filepath.Join(dir, "results.json"), append(raw, '\n'), 0o644),
	)
}

func writeCluster(rep *compare.Report, dir string, stdout io.Writer) error {
	page := rep.ClusterMarkdown()
	if _, err := io.WriteString(stdout, page); err != nil || dir == "" {
		return err
	}
	return errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "CLUSTER.md"), []byte(page), 0o644),
	)
}
