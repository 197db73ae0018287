package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/puente-io/puente/cmd/puente-bench/internal/compare"
)

// runHostile prints the server CPU that messages with expensive JSON cost.
func runHostile(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("puente-bench hostile", flag.ContinueOnError)
	fs.SetOutput(stderr)
	names := fs.String("servers", "node,puente", "comma-separated servers; name=path adds a build of Puente; ratios are to the first")
	rounds := fs.Int("rounds", 3, "number of measurements, of which the lowest counts")
	messages := fs.Int("messages", 120, "messages of 0.9 MB per measurement, at most; fewer if they need much CPU")
	only := fs.String("only", "", "send only shapes whose name contains this `text`")
	most := fs.Float64("most", 0, "fail if a ratio exceeds this (0: never)")
	peers := fs.String("peers", "compat/peers", "`directory` of the peers")
	binary := fs.String("puente", "bin/puente", "Puente's `executable`")
	if err := fs.Parse(args); err != nil {
		return err
	}
	servers, err := compare.Servers(strings.Split(*names, ","), *peers, *binary)
	if err != nil {
		return err
	}
	line := func(shape, event string, cells []string) {
		fmt.Fprintf(stdout, "| %-22s | %-20s | %s |\n", shape, event, strings.Join(cells, " | "))
	}
	var titles, rule []string
	for i, s := range servers {
		titles = append(titles, fmt.Sprintf("%7s", s.Title))
		rule = append(rule, "------:")
		if i > 0 {
			titles = append(titles, "ratio")
			rule = append(rule, "----:")
		}
	}
	fmt.Fprintln(stdout, "Server CPU in ms per megabyte, in messages of 0.9 MB.")
	fmt.Fprintln(stdout)
	line("JSON", "event", titles)
	line(strings.Repeat("-", 22), strings.Repeat("-", 20), rule)
	worst := 0.0
	err = compare.Hostile(ctx, servers, *only, *rounds, *messages, func(r compare.HostileRow) {
		var cells []string
		for i, ms := range r.CPU {
			cells = append(cells, fmt.Sprintf("%7.2f", ms))
			if i > 0 {
				ratio := ms / r.CPU[0]
				worst = max(worst, ratio)
				cells = append(cells, fmt.Sprintf("%5.2f", ratio))
			}
		}
		line(r.Shape, r.Event, cells)
	})
	if err != nil {
		return err
	}
	if *most > 0 && worst > *most {
		return fmt.Errorf("the worst ratio is %.2f, more than %.2f", worst, *most)
	}
	return nil
}
