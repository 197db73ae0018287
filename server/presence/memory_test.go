package presence_test

import (
	"testing"

	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/presence/presencetest"
)

type memory struct{ *presence.Memory }

func (m memory) Node(*testing.T) presence.Presence { return m.Memory.Node() }

func TestMemory(t *testing.T) {
	presencetest.Run(t, func(*testing.T) presencetest.Cluster { return memory{presence.NewMemory()} })
}
