package adapter_test

import (
	"testing"

	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

func TestMemoryContract(t *testing.T) {
	adaptertest.Run(t, func(*testing.T) func() adapter.Factory { return adapter.NewMemory().Factory })
}
