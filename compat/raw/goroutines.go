package raw

import (
	"runtime"
	"strings"
)

// Goroutines returns the number of goroutines in the process and the stacks of all of
// them. The number excludes idle workers of engineio, which keeps up to 32.
func Goroutines() (n int, stacks string) {
	for size := 256 << 10; stacks == ""; size *= 2 {
		b := make([]byte, size)
		if length := runtime.Stack(b, true); length < size {
			stacks = string(b[:length])
		}
	}
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if !strings.Contains(stack, "engineio.(*workers).work(") || !strings.Contains(stack, "sync.(*Cond).Wait") {
			n++
		}
	}
	return n, stacks
}
