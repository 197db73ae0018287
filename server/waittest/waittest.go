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
// goroutine, every few milliseconds.
func Until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
