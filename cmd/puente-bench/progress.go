package main

import (
	"io"
	"os"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows a progress bar on a terminal, and nothing elsewhere. It is not safe for concurrent use.
type progress struct{ bar *progressbar.ProgressBar }

func newProgress(w io.Writer, quiet bool) *progress {
	f, ok := w.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{progressbar.NewOptions(1000,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(30),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
	)}
}

// at returns a load.Progress that shows the name, or nil if there is no bar.
func (p *progress) at(name string) load.Progress {
	if p.bar == nil {
		return nil
	}
	return func(phase string, done float64) {
		p.bar.Describe(name + ", " + phase)
		_ = p.bar.Set(min(int(done*1000), 999)) // 1000 would end the bar
	}
}

func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
