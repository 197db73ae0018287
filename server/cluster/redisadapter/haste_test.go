package redisadapter_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redisbus/redisbustest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
	"github.com/puente-io/puente/server/socketio/packet"
)

// hasty is a namespace that records the haste of its deliveries, which wait for proceed.
type hasty struct {
	*adaptertest.Node
	entered chan struct{} // gets an element at each delivery
	proceed chan struct{}

	mu    sync.Mutex
	haste []adapter.Haste
}

func (h *hasty) HasRoom(string) bool { return true }

func (h *hasty) DeliverBroadcast(_ *packet.Packet, _ adapter.Selection, flags adapter.Flags) {
	h.mu.Lock()
	h.haste = append(h.haste, flags.Haste)
	h.mu.Unlock()
	h.entered <- struct{}{}
	<-h.proceed
}

// The more messages wait behind a packet, the less its delivery may wait for slow members.
func TestHaste(t *testing.T) {
	eachModeInMemory(t, func(t *testing.T, memory *redisbustest.Memory, opts redisadapter.Options) {
		opts.Bus = memory.Node()
		from := adaptertest.Start(t, start(t, opts).Factory(), "/")
		h := &hasty{Node: from, entered: make(chan struct{}, 100), proceed: make(chan struct{})}
		opts.Bus = memory.NodeWith(16_000)
		watched := start(t, opts).Factory()(h)
		release := sync.OnceFunc(func() { close(h.proceed) })
		t.Cleanup(func() { release(); watched.Close() })
		watched.RoomCreated("r")
		send := func() {
			t.Helper()
			if err := from.Adapter.Broadcast(t.Context(), event(`["e","%s"]`, strings.Repeat("x", 700)), roomR, adapter.Flags{}); err != nil {
				t.Fatal(err)
			}
		}
		send()
		<-h.entered // and waits
		for range 15 {
			send()
		}
		release()
		for range 15 {
			<-h.entered
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.haste[1] != adapter.Pressed || h.haste[len(h.haste)-1] != adapter.Patient || !slices.Contains(h.haste, adapter.Hurried) {
			t.Errorf("the haste was %v", h.haste)
		}
	})
}
