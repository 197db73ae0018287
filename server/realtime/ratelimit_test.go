package realtime

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiterWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(3, time.Minute)
		w := l.user("ana", 0)
		time.Sleep(59 * time.Second) // the window begins with the first event, not with the user
		for i := range 5 {
			if got, want := l.allow(w), i < 3; got != want {
				t.Errorf("event %d: allowed %v", i, got)
			}
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if l.allow(w) {
			t.Error("allowed within the window")
		}
		time.Sleep(time.Nanosecond)
		if !l.allow(w) {
			t.Error("refused after the window")
		}
	})
}

func TestLimiterOff(t *testing.T) {
	for _, limit := range []int{0, -1} {
		l := newLimiter(limit, time.Minute)
		w := new(window)
		for range 1000 {
			if !l.allow(w) {
				t.Fatalf("limit %d refuses", limit)
			}
		}
	}
}

func TestLimiterKeepsAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, time.Minute)
		a, b := l.user("ana", 0), l.user("ana", 0)
		if a != b {
			t.Fatal("two windows of one user")
		}
		l.allow(a)
		l.release(a)
		l.release(b)
		if w := l.user("ana", 0); l.allow(w) {
			t.Error("connecting again began a new window")
		}
	})
}

// The limiter forgets users that have gone, and no others.
func TestLimiterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, time.Minute)
		stays := l.user("stays", 0)
		for i := range 100 {
			w := l.user(fmt.Sprint("user-", i), 0)
			l.allow(w)
			l.release(w)
		}
		if len(l.users) != 101 {
			t.Errorf("%d windows within their time", len(l.users))
		}
		time.Sleep(time.Minute)
		l.release(l.user("another", 0))
		if len(l.users) != 1 || l.users["stays"] != stays {
			t.Errorf("windows: %v", l.users)
		}
	})
}
