// Package waittest waits in tests for a condition instead of for some time.
package waittest

import (
	"testing"
	"time"
)

// bound is long enough for any machine that works. No correct result depends on it.
const bound = 30 * time.Second

// Until returns when cond returns true, and fails the test if it does not within half a
// minute. what is the condition, for the message. cond is called on the test's
// goroutine, at first every few milliseconds and then less often: it may cost a request.
func Until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for start := time.Now(); !cond(); {
		waited := time.Since(start)
		if waited > bound {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(min(max(2*time.Millisecond, waited/10), 25*time.Millisecond))
	}
}
