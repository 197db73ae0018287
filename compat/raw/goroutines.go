package raw

import (
	"runtime"
	"strings"
)

// Goroutines returns the number of goroutines in the process and the stacks of all of
// them. The number excludes idle workers of engineio, which keeps up to 32.
func Goroutines() (n int, stacks string) {
	b := make([]byte, 16<<20)
	stacks = string(b[:runtime.Stack(b, true)])
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if !strings.Contains(stack, "engineio.(*workers).work(") || !strings.Contains(stack, "sync.(*Cond).Wait") {
			n++
		}
	}
	return n, stacks
}
