package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
)

// Markdown returns the report as a Markdown page. plot is the URL of its plot, or "" for none.
func (r *Report) Markdown(plot string) string {
	var b strings.Builder
	r.head(&b, "Benchmark", reading)
	if plot != "" {
		fmt.Fprintf(&b, "![Server CPU per message and memory per connection, relative to %s](%s)\n\n", r.baseline().Title, plot)
	}
	r.overview(&b, "CPU µs per message, KiB per connection")
	r.targetTable(&b, "The specification's targets", targets, r.Servers)
	if own := slices.DeleteFunc(slices.Clone(r.Servers), func(s ServerInfo) bool { return !s.Own }); len(own) > 0 {
		r.targetTable(&b, "Puente's own targets", ownTargets(), own)
	}
	for _, spec := range r.Specs {
		r.detail(&b, spec)
	}
	r.failures(&b)
	return b.String()
}

func (r *Report) head(b *strings.Builder, title, reading string) {
	fmt.Fprintf(b, "# %s\n\n%s, %s. Medians of %d round%s", title, r.Date, r.Machine, r.Rounds, plural(r.Rounds))
	var single []string
	for _, spec := range r.Specs {
		if r.Rounds > 1 && once(spec) {
			single = append(single, spec.Name)
		}
	}
	if len(single) > 0 {
		fmt.Fprintf(b, "; %s: of one", strings.Join(single, ", "))
	}
	b.WriteString(".\n\n")
	for _, s := range r.Servers {
		fmt.Fprintf(b, "- **%s**: %s\n", s.Title, s.Version)
	}
	fmt.Fprintf(b, "\n"+reading+"\n", r.baseline().Title)
}

const reading = `Server and load generator are two processes on this machine; each run has a fresh server process. All servers verify tokens,
validate, authorise and have rate limits, set high; Puente's limits of connections, of connections per address and of handshakes
per second are on too. In parentheses after each figure is its ratio to %s's, in the overview with the lowest and the highest
ratio of a round. CPU is the server's user and system time. If a workload keeps messages in flight, latency is mostly queueing:
compare latency in the workloads with a fixed rate. The cost of fan-out depends on how many updates are in flight, because a
server may write several to a connection at once; the workloads with one update at a time and with a fixed rate exclude that.
`

func (r *Report) header(b *strings.Builder, first string, columns []string) {
	fmt.Fprintf(b, "| %s | %s |\n|---|%s\n", first, strings.Join(columns, " | "), strings.Repeat("---:|", len(columns)))
}

func titles(servers []ServerInfo) (titles []string) {
	for _, s := range servers {
		titles = append(titles, s.Title)
	}
	return titles
}

// overview writes the table of the headline figures.
func (r *Report) overview(b *strings.Builder, of string) {
	fmt.Fprintf(b, "## Overview: %s\n\n", of)
	r.header(b, "workload", titles(r.Servers))
	for _, spec := range r.Specs {
		for _, m := range headline(spec) {
			fmt.Fprintf(b, "| %s |", headlineTitle(spec, m))
			for _, s := range r.Servers {
				figures := r.figures(s.Name, spec.Name, m)
				if least, most, ok := r.spread(s.Name, spec.Name, m); ok && s.Name != r.baseline().Name {
					figures = fmt.Sprintf("%s, %.2f–%.2f)", strings.TrimSuffix(figures, ")"), least, most)
				}
				fmt.Fprintf(b, " %s |", figures)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n")
}

func (r *Report) targetTable(b *strings.Builder, title string, targets []target, servers []ServerInfo) {
	fmt.Fprintf(b, "## %s\n\n", title)
	r.header(b, "target", append([]string{"judged by"}, titles(servers)...))
	for _, t := range targets {
		fmt.Fprintf(b, "| %s | %s |", t.title, t.by)
		for _, s := range servers {
			fmt.Fprintf(b, " %s |", r.verdict(s.Name, t))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (r *Report) detail(b *strings.Builder, spec load.Spec) {
	fmt.Fprintf(b, "## %s\n\n%s.\n\n", spec.Name, upperFirst(describe(spec)))
	var columns []string
	for _, m := range metrics(spec) {
		columns = append(columns, m.title)
	}
	r.header(b, "server", columns)
	for _, s := range r.Servers {
		fmt.Fprintf(b, "| %s |", s.Title)
		for _, m := range metrics(spec) {
			fmt.Fprintf(b, " %s |", r.figures(s.Name, spec.Name, m))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (r *Report) failures(b *strings.Builder) {
	var lines []string
	for _, s := range r.Servers {
		for _, spec := range r.Specs {
			if f := r.cell(s.Name, spec.Name).Failure; f != "" {
				lines = append(lines, fmt.Sprintf("- %s, %s: `%s`", s.Title, spec.Name, strings.NewReplacer("\n", " ", "`", "'").Replace(f)))
			}
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "## Failures\n\n%s\n", strings.Join(lines, "\n"))
	}
}

// figures returns a value with its ratio.
func (r *Report) figures(server, spec string, m metric) string {
	if r.cell(server, spec).Failure != "" {
		return "broke off"
	}
	v, ok := r.value(server, spec, m)
	if !ok {
		return "n/a"
	}
	ratio, ok := r.ratio(server, spec, m)
	if !ok || server == r.baseline().Name || m.fault {
		return m.print(v)
	}
	return fmt.Sprintf("%s (%.2f×)", m.print(v), ratio)
}

// print formats a value of the metric.
func (m metric) print(v float64) string {
	if m.fault {
		return thousands(int(v))
	}
	return figure(v)
}

// figure formats a number with about three digits.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1000:
		return thousands(int(math.Round(v)))
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.1 || a == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func upperFirst(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
