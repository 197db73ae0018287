package redispresence

import (
	"fmt"
	"testing"
	"time"

	"github.com/puente-io/puente/server/presence"
)

// BenchmarkState encodes and applies the state of 10,000 devices in three rooms
// each.
func BenchmarkState(b *testing.B) {
	part := presence.NewView().Part("x")
	for i := range 10_000 {
		d := fmt.Sprintf("socket-of-20-chars%05d", i)
		part.Connect(d, id(fmt.Sprint("user", i)))
		for j := range 3 {
			part.Join(d, id(fmt.Sprint("room", (i+j)%500)))
		}
	}
	box := newOutbox("x", newChannels("p"), 0)
	box.seq = 40_000
	b.Run("encode", func(b *testing.B) {
		bytes := 0
		for b.Loop() {
			bytes = 0
			for _, f := range box.state(nil, part, new(order), "c") {
				bytes += len(f.payload)
			}
		}
		b.ReportMetric(float64(bytes)/10_000, "B/device")
	})
	frames := box.state(nil, part, new(order), "c")
	b.Run("apply", func(b *testing.B) {
		now := time.Now()
		for b.Loop() {
			ps := newPeers("y", presence.NewView(), newTimes(time.Second), 1<<20, now)
			for _, f := range frames {
				m, err := decode(f.payload)
				if err == nil {
					err = ps.take(m, now)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			if ps.held != 40_000 {
				b.Fatal(ps.held)
			}
		}
	})
}

// BenchmarkDelta publishes and applies the operations of a device that connects,
// joins a room, leaves it and disconnects.
func BenchmarkDelta(b *testing.B) {
	now := time.Now()
	ps := newPeers("y", presence.NewView(), newTimes(time.Second), 1<<20, now)
	part := presence.NewView().Part("x")
	box := newOutbox("x", newChannels("p"), 0)
	for b.Loop() {
		box.record(op{connect, "d", id("ann")}, part)
		box.record(op{join, "d", id("r")}, part)
		box.record(op{leave, "d", id("r")}, part)
		box.record(op{code: disconnect, device: "d"}, part)
		frames, _ := box.take(part, new(order))
		for _, f := range frames {
			m, err := decode(f.payload)
			if err == nil {
				err = ps.take(m, now)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
