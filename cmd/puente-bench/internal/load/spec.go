// Package load has the workloads: what a number of clients sends to one server, how it is paced, and what is measured meanwhile.
package load

import (
	"fmt"
	"slices"
	"time"
)

// Kind is what the clients of a workload do. All of it is documented events, so that any server of the contract can serve it.
type Kind string

// The kinds of workload.
const (
	// Echo: `ping` without an acknowledgement, answered by one `pong`. One message is one such round trip. It is the smallest
	// exchange that the contract knows with one packet each way; a `ping` with an acknowledgement has two answers.
	Echo Kind = "echo"
	// Publish: `publish-update` with an acknowledgement, to a room in which the publisher is alone. One message is one
	// update published, authorised, received back and acknowledged.
	Publish Kind = "publish"
	// Fanout: one member of a room publishes to all. One message is one delivery.
	Fanout Kind = "fanout"
	// Rooms: rooms of ten, in which every member publishes, one update at a time. One message is one delivery.
	Rooms Kind = "rooms"
	// Polling: an acknowledged event over long-polling (`join-room` of a room one is in already, which nobody else hears
	// of). One message is one round trip: a POST and a GET.
	Polling Kind = "polling"
	// Connect: WebSocket handshake, Engine.IO open, CONNECT with a token, and its answer. One message is one connection. All
	// stay open to the end.
	Connect Kind = "connect"
	// Idle: memory of connections that do nothing, before and after each has joined a room, published three updates of
	// 1 KiB there and left it.
	Idle Kind = "idle"
	// Burst: one member of a room publishes Updates in a tight loop, and waits for nothing. One message is one delivery. What is
	// lost, comes twice or comes after a later one is counted; it does not break the run off.
	Burst Kind = "burst"
)

const roomSize = 10 // of Rooms

// Spec is one workload. Fields that its kind has no use for are ignored.
type Spec struct {
	// Name stands in results. Default: the kind.
	Name string `json:"name"`
	// Kind is what the clients do.
	Kind Kind `json:"kind"`
	// Conns is the number of connections; of Connect, how many are made in all.
	Conns int `json:"conns"`
	// InFlight is how many messages a client has under way at once: of Fanout the publisher alone, of Connect the number of
	// handshakes under way. Default 1.
	InFlight int `json:"inFlight,omitempty"`
	// Rate, where not 0, is how many messages are begun per second over all clients (of Fanout and Rooms: updates published),
	// whether or not earlier ones have been answered. Latency then counts from when a message was due. InFlight is not used.
	Rate float64 `json:"rate,omitempty"`
	// Sizes are the sizes of Publish's payloads in bytes, sent in turn. Default 64.
	Sizes []int `json:"sizes,omitempty"`
	// Binary makes Publish's payloads attachments.
	Binary bool `json:"binary,omitempty"`
	// Updates is how many updates Burst publishes. Default 20,000.
	Updates int `json:"updates,omitempty"`
	// Nodes is how many nodes of the server the clients spread over, in turn; a publisher alone is on the first. Default 1.
	Nodes int `json:"nodes,omitempty"`
	// Browser adds a browser's headers to the handshake.
	Browser bool `json:"browser,omitempty"`
}

// withDefaults returns the spec with defaults filled in, or what is wrong with it.
func (s Spec) withDefaults() (Spec, error) {
	if s.Name == "" {
		s.Name = string(s.Kind)
	}
	s.InFlight = max(s.InFlight, 1)
	s.Nodes = max(s.Nodes, 1)
	if s.Kind == Burst && s.Updates == 0 {
		s.Updates = 20_000
	}
	if len(s.Sizes) == 0 {
		s.Sizes = []int{64}
	}
	switch {
	case !slices.Contains([]Kind{Echo, Publish, Fanout, Rooms, Polling, Connect, Idle, Burst}, s.Kind):
		return s, fmt.Errorf("load: unknown workload %q", s.Kind)
	case s.Conns < 1:
		return s, fmt.Errorf("load: %s needs at least one connection", s.Name)
	case s.Kind == Rooms && s.Conns%roomSize != 0:
		return s, fmt.Errorf("load: %s needs a multiple of %d connections", s.Name, roomSize)
	case s.Rate < 0 || s.Rate > 0 && (s.Kind == Connect || s.Kind == Idle || s.Kind == Burst):
		return s, fmt.Errorf("load: %s cannot have a rate of %g", s.Name, s.Rate)
	case s.Updates < 0:
		return s, fmt.Errorf("load: %s has %d updates", s.Name, s.Updates)
	case slices.Min(s.Sizes) < 0:
		return s, fmt.Errorf("load: %s has a negative size", s.Name)
	}
	return s, nil
}

// Timing is how long the phases of a run take. Zero fields take the defaults.
type Timing struct {
	// Warmup is how long the load runs before it is measured. Default 2 s.
	Warmup time.Duration
	// Measure is how long it is measured. Default 5 s.
	Measure time.Duration
	// Settle is the silence before memory is read. Default 5 s.
	Settle time.Duration

	drain time.Duration // for the last answers; default 15 s
}

func (t Timing) withDefaults() Timing {
	for _, f := range []struct {
		field    *time.Duration
		fallback time.Duration
	}{{&t.Warmup, 2 * time.Second}, {&t.Measure, 5 * time.Second}, {&t.Settle, 5 * time.Second}, {&t.drain, 15 * time.Second}} {
		if *f.field == 0 {
			*f.field = f.fallback
		}
	}
	return t
}
