package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// A single node gets empty answers and no errors.
func alone(t *testing.T, c *cluster) {
	n := c.start(1)[0]
	n.Connect("own", "r").Answer = answer(`1`)
	answers, clients, err := n.Adapter.BroadcastWithAck(c.ctx, event(`["e"]`), adapter.Selection{}, adapter.Flags{Timeout: patience})
	if len(answers) != 0 || clients != 0 || err != nil {
		t.Errorf("BroadcastWithAck: %v, %d, %v", answers, clients, err)
	}
	if infos, err := n.Adapter.FetchSockets(c.ctx, adapter.Selection{}); len(infos) != 0 || err != nil {
		t.Errorf("FetchSockets: %v, %v", infos, err)
	}
	if answers, err := n.Adapter.ServerSideEmitWithAck(c.ctx, "e", adapter.Args{}); len(answers) != 0 || err != nil {
		t.Errorf("ServerSideEmitWithAck: %v, %v", answers, err)
	}
	if names, err := n.Adapter.AllRooms(c.ctx); len(names) != 0 || err != nil {
		t.Errorf("AllRooms: %v, %v", names, err)
	}
}

func countAndClose(t *testing.T, c *cluster) {
	nodes := c.start(3)
	s := nodes[1].Connect("s", "r")
	nodes[2].Connect("s2", "r")
	c.settle()
	a := nodes[1].Adapter
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	c.eventually("two nodes are left", func() bool {
		n, err := nodes[0].Adapter.ServerCount(c.ctx)
		return err == nil && n == 2
	})
	c.broadcast(nodes[0], `["late"]`, rooms("r"))
	c.got(nodes[2].sockets(rooms("r"))[0], 1)
	if s.Len() != 0 {
		t.Error("a closed adapter delivers")
	}
	s.Join("another")
	s.Leave("another", "r")
	sel := adapter.Selection{}
	ctx, cancel := context.WithTimeout(c.ctx, soon)
	defer cancel()
	for name, call := range map[string]func() error{
		"Broadcast":        func() error { return a.Broadcast(ctx, event(`["e"]`), sel, adapter.Flags{}) },
		"BroadcastWithAck": func() error { _, _, err := a.BroadcastWithAck(ctx, event(`["e"]`), sel, adapter.Flags{}); return err },
		"FetchSockets":     func() error { _, err := a.FetchSockets(ctx, sel); return err },
		"Join":             func() error { return a.Join(ctx, sel, []string{"r"}) },
		"Leave":            func() error { return a.Leave(ctx, sel, []string{"r"}) },
		"Disconnect":       func() error { return a.Disconnect(ctx, sel, false) },
		"ServerSideEmit":   func() error { return a.ServerSideEmit(ctx, "e", adapter.Args{}) },
		"ServerSideEmitWithAck": func() error {
			_, err := a.ServerSideEmitWithAck(ctx, "e", adapter.Args{})
			return err
		},
		"ServerCount": func() error { _, err := a.ServerCount(ctx); return err },
		"AllRooms":    func() error { _, err := a.AllRooms(ctx); return err },
	} {
		if err := call(); !errors.Is(err, adapter.ErrClosed) {
			t.Errorf("%s on a closed adapter: %v, want ErrClosed", name, err)
		}
	}
}

// Everything at once, for the race detector, while a node leaves.
func concurrency(t *testing.T, c *cluster) {
	nodes := c.start(3)
	for i, n := range nodes {
		n.ServerSide = func(_ string, args adapter.Args, reply func(adapter.Args)) {
			if reply != nil {
				reply(args)
			}
		}
		n.Connect(fmt.Sprint("keeper", i), "r").Answer = answer(`1`)
	}
	c.settle()
	ctx, cancel := context.WithTimeout(c.ctx, soon)
	defer cancel()
	check := func(what string, err error) {
		if err != nil && !errors.Is(err, adapter.ErrClosed) && !errors.Is(err, adapter.ErrTimeout) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var wg sync.WaitGroup
	for i, n := range nodes {
		a := n.Adapter
		for _, call := range []func(i int){
			func(i int) {
				check("Broadcast", a.Broadcast(ctx, event(`["e"]`), rooms("r", fmt.Sprint(i)), adapter.Flags{}))
			},
			func(int) {
				_, _, err := a.BroadcastWithAck(ctx, event(`["e"]`), rooms("r"), adapter.Flags{Timeout: soon})
				check("BroadcastWithAck", err)
			},
			func(int) { _, err := a.FetchSockets(ctx, rooms("r")); check("FetchSockets", err) },
			func(i int) { check("Join", a.Join(ctx, rooms("r"), []string{fmt.Sprint("j", i)})) },
			func(i int) { check("Leave", a.Leave(ctx, rooms("r"), []string{fmt.Sprint("j", i)})) },
			func(int) { check("Disconnect", a.Disconnect(ctx, rooms("nobody"), true)) },
			func(int) { check("ServerSideEmit", a.ServerSideEmit(ctx, "e", adapter.Args{})) },
			func(int) {
				_, err := a.ServerSideEmitWithAck(ctx, "e", *answer(`1`))
				check("ServerSideEmitWithAck", err)
			},
			func(int) { _, err := a.ServerCount(ctx); check("ServerCount", err) },
			func(int) { _, err := a.AllRooms(ctx); check("AllRooms", err) },
			func(i int) {
				s := n.Connect(fmt.Sprint("guest", i), "r", "g")
				s.Leave("g")
				s.disconnect(false)
			},
		} {
			wg.Go(func() {
				for j := range 20 {
					call(j)
				}
			})
		}
		if i == 2 {
			wg.Go(func() { a.FetchSockets(ctx, rooms("r")); a.Close() })
		}
	}
	wg.Wait()
}
