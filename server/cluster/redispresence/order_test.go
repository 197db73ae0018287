package redispresence

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
	"github.com/puente-io/puente/server/waittest"
)

// The last operation of a device and a room decides whether the state has the join.
func TestJoinsOfTheOrder(t *testing.T) {
	part := presence.NewView().Part("p")
	var o order
	add := func(c code, name, room string) {
		d, _ := part.Device(name)
		o.ops = append(o.ops, ownOp{code: c, name: name, device: d, room: id(room)})
	}
	for _, name := range []string{"a", "b"} {
		part.Connect(name, id("ann"))
	}
	add(join, "a", "r")
	add(join, "a", "s")
	add(leave, "a", "s")
	add(leave, "b", "r")
	add(join, "b", "r")
	add(join, "b", "r")
	add(join, "gone", "r")
	o.ops = append(o.ops, ownOp{code: leave}) // of Sync
	want := map[string][]ident.ID{"a": {id("r")}, "b": {id("r")}}
	if got := o.joins(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The time for the state of a node does not grow with the square of the operations that
// wait: when all clients of a cluster reconnect, many do, and any node may request it.
// This takes a fraction of a second; in quadratic time it would take minutes.
func TestManyJoinsInTheOrder(t *testing.T) {
	part := presence.NewView().Part("p")
	var o order
	const devices = 300_000
	for i := range devices {
		name := fmt.Sprint(i)
		part.Connect(name, id("ann"))
		d, _ := part.Device(name)
		o.ops = append(o.ops, ownOp{code: join, name: name, device: d, room: id("r")})
	}
	counted := make(chan int, 1)
	go func() { counted <- len(o.joins()) }()
	waittest.Until(t, "the joins are collected", func() bool { return len(counted) > 0 })
	if n := <-counted; n != devices {
		t.Errorf("%d joins, want %d", n, devices)
	}
}
