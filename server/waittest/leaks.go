package waittest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Run is m.Run, and returns 1 too if goroutines that the tests have started are left half a
// minute after them. goleak.VerifyTestMain waits less than half a second, which on a busy
// machine is less than a connection takes to end.
func Run(m *testing.M) int {
	code := m.Run()
	if code != 0 {
		return code
	}
	for end := time.Now().Add(bound); ; {
		err := goleak.Find()
		if err == nil {
			return 0
		}
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "goroutines are left: %v\n", err)
			return 1
		}
	}
}
