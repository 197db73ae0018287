// Package compare starts servers, runs the same workloads against each, and reports the results as tables and a plot.
package compare

import (
	"fmt"
	"strings"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

// Names of the workloads that targets refer to.
const (
	specEcho        = "echo"
	specCalm        = "echo at 1,000/s"
	specPaced       = "echo at 10,000/s"
	specFanout      = "fan-out to 1,000"
	specSteady      = "fan-out to 1,000 at 10/s"
	specRooms       = "rooms of 10"
	specPolling     = "polling"
	specConnect     = "connect storm"
	specIdle        = "5,000 connections"
	specPlain       = "4 KiB to 2,000 plain clients"
	specDeflate     = "4 KiB to 1,000 deflating and 1,000 plain clients"
	specMsgpack     = "msgpack echo"
	specBare        = "5,000 rehearsed connections"
	specDeflate5000 = "5,000 deflating connections"
	specCluster     = "fan-out over two nodes"
	specBurst       = "burst of 20,000"
)

// Plan returns the workloads in the order in which they run and are reported. Those that name the forms of their clients are run
// on Node and Puente only, see Server.runs.
func Plan(quick bool) []load.Spec {
	fanout := func(n, inFlight int) load.Spec {
		return load.Spec{Name: "fan-out to " + thousands(n), Kind: load.Fanout, Conns: n, InFlight: inFlight}
	}
	// One update at a time cannot share a write with the next; the difference to several shows what sharing saves.
	single := fanout(1000, 1)
	single.Name = "fan-out to 1,000, one at a time"
	echo := load.Spec{Name: specEcho, Kind: load.Echo, Conns: 64, InFlight: 16}
	rooms := load.Spec{Name: specRooms, Kind: load.Rooms, Conns: 1000}
	polling := load.Spec{Name: specPolling, Kind: load.Polling, Conns: 64}
	connect := load.Spec{Name: specConnect, Kind: load.Connect, Conns: 3000, InFlight: 32}
	idle := load.Spec{Name: specIdle, Kind: load.Idle, Conns: 5000, InFlight: 64}
	if quick {
		return []load.Spec{echo, fanout(1000, 4), single, rooms, polling, connect, idle}
	}
	all, browser := idle, idle
	all.Name, all.Conns = "15,000 connections", 15000
	browser.Name, browser.Browser = "5,000 connections of browsers", true
	return []load.Spec{
		echo,
		{Name: specCalm, Kind: load.Echo, Conns: 64, Rate: 1000},
		{Name: specPaced, Kind: load.Echo, Conns: 64, Rate: 10_000},
		{Name: "publish", Kind: load.Publish, Conns: 64, InFlight: 4},
		fanout(100, 4), fanout(1000, 4), fanout(10_000, 4), // differ in size only
		single,
		{Name: specSteady, Kind: load.Fanout, Conns: 1000, Rate: 10},
		rooms,
		polling,
		connect,
		{Name: "64 B to 64 KiB", Kind: load.Publish, Conns: 64, InFlight: 2, Sizes: []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10}},
		{Name: "binary 1 KiB", Kind: load.Publish, Conns: 64, InFlight: 4, Sizes: []int{1 << 10}, Binary: true},
		idle, all, browser,
		forms(load.Spec{Name: specPlain, Kind: load.Fanout, Conns: 2000, InFlight: 4, Sizes: []int{4 << 10}}, sio.Text),
		forms(load.Spec{Name: specDeflate, Kind: load.Fanout, Conns: 2000, InFlight: 4, Sizes: []int{4 << 10}}, sio.Text, sio.Deflate),
		forms(load.Spec{Name: specMsgpack, Kind: load.Echo, Conns: 64, InFlight: 16}, sio.Msgpack),
		forms(load.Spec{Name: "fan-out to 500 text and 500 msgpack clients", Kind: load.Fanout, Conns: 1000, InFlight: 4}, sio.Text, sio.Msgpack),
		forms(load.Spec{Name: "fan-out to 500 clients of protocol 4 and 500 of protocol 3", Kind: load.Fanout, Conns: 1000, InFlight: 4}, sio.Text, sio.Protocol3),
		forms(rehearsed(specBare), sio.Text), forms(rehearsed(specDeflate5000), sio.Deflate), forms(rehearsed("5,000 connections of protocol 3"), sio.Protocol3),
	}
}

// forms returns the spec with the forms of its clients. Client 0, which publishes, has the first.
func forms(s load.Spec, forms ...sio.Form) load.Spec {
	s.Forms = forms
	return s
}

// rehearsed returns the workload of memory in which forms are compared.
func rehearsed(name string) load.Spec {
	return load.Spec{Name: name, Kind: load.Idle, Conns: 5000, InFlight: 64, Rehearse: true}
}

// Cluster returns the workloads of two nodes over one Redis.
func Cluster(quick bool) []load.Spec {
	fanout := func(name string, inFlight int, rate float64) load.Spec {
		return load.Spec{Name: name, Kind: load.Fanout, Conns: 1000, InFlight: inFlight, Rate: rate, Nodes: 2}
	}
	burst := load.Spec{Name: specBurst, Kind: load.Burst, Conns: 50, Updates: 20_000, Nodes: 2}
	specs := []load.Spec{fanout(specCluster, 4, 0), fanout("fan-out over two nodes, one at a time", 1, 0)}
	if !quick {
		specs = append(specs, fanout("fan-out over two nodes at 10/s", 0, 10))
	}
	return append(specs, burst)
}

// Timing returns the durations of the phases of a run.
func Timing(quick bool) load.Timing {
	if quick {
		return load.Timing{Warmup: time.Second, Measure: 3 * time.Second, Settle: 3 * time.Second}
	}
	return load.Timing{Warmup: 2 * time.Second, Measure: 5 * time.Second, Settle: 5 * time.Second}
}

// describe returns a short description of a workload.
func describe(s load.Spec) string {
	text := describeKind(s)
	if s.Kind == load.Fanout && len(s.Sizes) > 0 {
		text += fmt.Sprintf(", each with %s B of JSON records", thousands(s.Sizes[0]))
	}
	if s.Rehearse {
		text += "; 100 others did so before"
	}
	if len(s.Forms) > 0 {
		var forms []string
		for _, f := range s.Forms {
			forms = append(forms, clients[f])
		}
		text += "; clients in turn: " + strings.Join(forms, ", ")
	}
	if mixesParsers(s) {
		text += "; Node has one parser for all clients"
	}
	return text
}

// clients describes the forms of clients.
var clients = map[sio.Form]string{
	sio.Text: "plain", sio.Deflate: "permessage-deflate without context takeover", sio.Msgpack: "socket.io-msgpack-parser", sio.Protocol3: "protocol 3",
}

func describeKind(s load.Spec) string {
	switch s.Kind {
	case load.Echo:
		if s.Rate > 0 {
			return fmt.Sprintf("`ping`, answered by `pong`; %d connections, %s per second without waiting for answers", s.Conns, thousands(int(s.Rate)))
		}
		return fmt.Sprintf("`ping`, answered by `pong`; %d connections, %d in flight on each", s.Conns, s.InFlight)
	case load.Publish:
		what := "payload of 64 B"
		if s.Binary {
			what = fmt.Sprintf("attachment of %s B", thousands(s.Sizes[0]))
		} else if len(s.Sizes) > 1 {
			what = fmt.Sprintf("payloads of %d B to %s B in turn", s.Sizes[0], thousands(s.Sizes[len(s.Sizes)-1]))
		}
		return fmt.Sprintf("`publish-update` to a room with the publisher only, received back and acknowledged; %s; %d connections, %d in flight on each", what, s.Conns, s.InFlight)
	case load.Fanout:
		members := thousands(s.Conns) + " members"
		if s.Nodes > 1 {
			members += fmt.Sprintf(" over %d nodes", s.Nodes)
		}
		if s.Rate > 0 {
			return fmt.Sprintf("a message is one delivery; one publisher, %s, %g updates per second", members, s.Rate)
		}
		return fmt.Sprintf("a message is one delivery; one publisher, %s, updates in flight: %d", members, s.InFlight)
	case load.Burst:
		return fmt.Sprintf("a message is one delivery; one publisher, %d members over %d nodes, %s updates published in a tight loop", s.Conns, s.Nodes, thousands(s.Updates))
	case load.Rooms:
		return fmt.Sprintf("a message is one delivery; %d rooms, every member publishes, one update in flight each", s.Conns/10)
	case load.Polling:
		return fmt.Sprintf("round trip of an acknowledged event over long-polling, a POST and a GET; %d sessions", s.Conns)
	case load.Connect:
		return fmt.Sprintf("a message is one connection, authenticated; %s of them, %d handshakes at a time", thousands(s.Conns), s.InFlight)
	}
	headers := "headers of a bare client"
	if s.Browser {
		headers = "headers of a browser"
	}
	return "memory per connection, authenticated, " + headers + "; before and after each joined a room, published 3 updates of 1 KiB and left"
}

// thousands formats n with separators.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
