// Package load runs workloads: it connects clients to a server, sends messages at the workload's pace, and measures throughput,
// latency, CPU time and memory.
package load

import (
	"fmt"
	"slices"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

// Kind is a kind of workload. All kinds use documented events only, so any server of the contract can serve them.
type Kind string

// The kinds of workload.
const (
	// Echo sends `ping` without an acknowledgement, which is answered by one `pong`. A message is such a round trip. It is the
	// smallest exchange in the contract with one packet each way; a `ping` with an acknowledgement has two answers.
	Echo Kind = "echo"
	// Publish sends `publish-update` with an acknowledgement to a room that only the publisher is in. A message is an update
	// that is authorised, received back and acknowledged.
	Publish Kind = "publish"
	// Fanout has one member of a room that publishes to all. A message is a delivery.
	Fanout Kind = "fanout"
	// Rooms has rooms of ten, in which every member publishes, one update at a time. A message is a delivery.
	Rooms Kind = "rooms"
	// Polling sends an acknowledged event over long-polling: `join-room` of a room that the client is in already, which is not
	// announced. A message is a round trip: a POST and a GET.
	Polling Kind = "polling"
	// Connect opens connections: WebSocket handshake, Engine.IO open packet, CONNECT with a token, and its answer. A message is
	// a connection. All stay open until the end.
	Connect Kind = "connect"
	// Idle measures the memory of idle connections, before and after each has joined a room, published three updates of 1 KiB
	// there and left it.
	Idle Kind = "idle"
	// Burst has one member of a room that publishes Updates in a tight loop without waiting. A message is a delivery. Lost,
	// repeated and misordered deliveries are counted and do not end the run.
	Burst Kind = "burst"
)

const roomSize = 10 // members of a room of Rooms

// Spec is a workload. Fields that its kind does not use are ignored.
type Spec struct {
	// Name is its name in results. Default: the kind.
	Name string `json:"name"`
	// Kind is the kind of workload.
	Kind Kind `json:"kind"`
	// Conns is the number of connections; for Connect, how many are opened in total.
	Conns int `json:"conns"`
	// InFlight is how many messages a client has in flight; for Fanout only the publisher, for Connect the number of concurrent
	// handshakes. Default 1.
	InFlight int `json:"inFlight,omitempty"`
	// Rate, if not 0, is how many messages all clients together send per second (for Fanout and Rooms: updates), without waiting
	// for answers. Latency then counts from the time at which a message was due. InFlight is not used.
	Rate float64 `json:"rate,omitempty"`
	// Sizes are the sizes of Publish's payloads in bytes, sent in turn. Default 64. The first is how many bytes of JSON records
	// Fanout adds to its payloads. Default 0.
	Sizes []int `json:"sizes,omitempty"`
	// Binary makes Publish's payloads attachments.
	Binary bool `json:"binary,omitempty"`
	// Updates is how many updates Burst publishes. Default 20,000.
	Updates int `json:"updates,omitempty"`
	// Nodes is the number of nodes that the clients connect to in turn; a single publisher is on the first. Default 1.
	Nodes int `json:"nodes,omitempty"`
	// Browser adds a browser's headers to the handshake.
	Browser bool `json:"browser,omitempty"`
	// Forms are the forms of the clients, in turn. Default sio.Text.
	Forms []sio.Form `json:"forms,omitempty"`
	// Rehearse makes the connections that Idle opens first exchange messages too, so that what the server then allocates once,
	// such as compressors, does not count as memory of connections.
	Rehearse bool `json:"rehearse,omitempty"`
}

// Has reports whether any client has that form.
func (s Spec) Has(f sio.Form) bool { return slices.Contains(s.Forms, f) }

// withDefaults returns the spec with defaults filled in, or an error if it is invalid.
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
		if s.Kind == Fanout {
			s.Sizes[0] = 0
		}
	}
	for _, f := range s.Forms {
		if !slices.Contains(sio.Forms(), f) {
			return s, fmt.Errorf("load: unknown form %q", f)
		}
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
	case s.Kind == Polling && slices.ContainsFunc(s.Forms, func(f sio.Form) bool { return f != sio.Text }):
		return s, fmt.Errorf("load: %s has only clients of the form %s", s.Name, sio.Text)
	case s.Binary && (s.Has(sio.Msgpack) || s.Has(sio.Protocol3)):
		return s, fmt.Errorf("load: %s: clients of these forms send no attachments", s.Name)
	case slices.Min(s.Sizes) < 0:
		return s, fmt.Errorf("load: %s has a negative size", s.Name)
	}
	return s, nil
}

// Timing is the durations of the phases of a run. Zero means the default.
type Timing struct {
	// Warmup is the duration of the load before measuring. Default 2 s.
	Warmup time.Duration
	// Measure is the duration of measuring. Default 5 s.
	Measure time.Duration
	// Settle is the duration without load before memory is read. Default 5 s.
	Settle time.Duration

	drain time.Duration // limit for the last answers; default 15 s
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
