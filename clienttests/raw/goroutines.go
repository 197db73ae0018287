package raw

import (
	"runtime"
	"strings"
)

// Goroutines counts the process's goroutines, without the workers that engineio
// keeps for the next message, of which there are some, up to 32. It also returns
// the stacks of all.
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
