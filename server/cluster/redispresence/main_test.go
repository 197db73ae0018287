package redispresence

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// While a server is gone go-redis dials it once a second, and notices only then that
	// the client has been closed: later than goleak waits.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}
