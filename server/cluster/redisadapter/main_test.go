package redisadapter_test

import (
	"os"
	"testing"

	"github.com/redis/go-redis/v9/logging"

	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) {
	logging.Disable() // go-redis logs each failed attempt to connect
	os.Exit(waittest.Run(m))
}
