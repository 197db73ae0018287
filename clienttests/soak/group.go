package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/puente-io/puente/compat/raw"
)

// group runs a round of a few users with some devices each, on every transport, in
// their own room. All publish updates and notify the next user; some devices leave
// the room, and more is published; then all disconnect.
func (r *round) group() {
	const window = 8 // unacknowledged updates of a publisher
	users := make([]string, 2+r.rng.IntN(4))
	var devices []*device // the first device of each user, then the others
	for i := range users {
		users[i] = fmt.Sprintf("u-%s-%d", r.name, i)
	}
	owners := slices.Clone(users)
	for _, user := range users {
		for range r.rng.IntN(3) {
			owners = append(owners, user)
		}
	}
	transports, exits := make([]raw.Transport, len(owners)), make([]int, len(owners))
	for i := range owners {
		transports[i], exits[i] = raw.Transport(r.rng.IntN(3)), r.rng.IntN(len(disconnects))
	}
	updates, notes, pause := 10+r.rng.IntN(40), r.rng.IntN(10), time.Duration(r.rng.IntN(8))*time.Millisecond
	payload := strings.Repeat("x", 1<<r.rng.IntN(13))
	slow := r.rng.IntN(6) == 0
	silent := r.rng.IntN(20) == 0

	devices = make([]*device, len(owners))
	r.all(len(owners), func(i int) {
		devices[i] = r.connect(owners[i], transports[i])
		devices[i].ask("join-room", r.name)
	})
	if got := devices[0].ask("join-room", r.name).Total; got != len(users) {
		r.Fatalf("%d users in the room, want %d", got, len(users))
	}

	r.all(len(users), func(i int) {
		var open []func() raw.Event
		for n := range updates {
			if len(open) == window {
				devices[i].parse(open[0]())
				open = open[1:]
			}
			open = append(open, devices[i].Post("publish-update", update(r.name, n, payload)))
			if n < notes {
				note := map[string]string{"targetUserId": users[(i+1)%len(users)], "type": "INFO", "title": strconv.Itoa(n)}
				if !devices[i].ask("publish-notification", note).Delivered {
					r.Fatalf("a notification of %s was not delivered", users[i])
				}
			}
			time.Sleep(pause)
		}
		for _, wait := range open {
			devices[i].parse(wait())
		}
	})
	r.all(len(devices), func(i int) {
		devices[i].updates(updates, users)
		at := slices.Index(users, owners[i])
		devices[i].notifications(notes, users[(at+len(users)-1)%len(users)])
		devices[i].nothing()
	})

	stay := 1 + r.rng.IntN(len(devices))
	r.all(len(devices)-stay, func(i int) { devices[stay+i].ask("leave-room", r.name) })
	devices[0].ask("publish-update", update(r.name, 0, payload))
	r.all(len(devices), func(i int) {
		if i < stay {
			devices[i].updates(1, users[:1])
		}
		devices[i].nothing()
	})

	if slow {
		r.slowReader(devices[0])
	}
	r.all(len(devices), func(i int) { disconnects[exits[i]](devices[i]) })
	// The node notices a device that was cut between two polls only at its next ping.
	r.stragglers.Go(func() {
		r.soak.round(r.name+"-late", nil, func(r *round) {
			if silent {
				r.silence(transports[0])
			}
			for _, user := range users {
				r.awaitDisconnected(user)
			}
		})
	})
}

// disconnects are the ways in which a device disconnects.
var disconnects = []func(*device){
	func(d *device) { d.Send("41"); d.Close() },              // DISCONNECT
	func(d *device) { d.Send("41"); d.Send("1"); d.Close() }, // as the official client does
	func(d *device) { d.Send("1"); d.Close() },               // close packet
	func(d *device) { d.Close() },                            // without a packet
	func(d *device) { d.Reset() },
}

func update(room string, n int, payload string) map[string]any {
	return map[string]any{"roomId": room, "type": strconv.Itoa(n), "payload": payload}
}

// updates takes n updates of each publisher, which must arrive in order.
func (d *device) updates(n int, publishers []string) {
	d.inOrder("update", n, publishers, func(e raw.Event) (from, number string) {
		var u struct{ From, Type string }
		d.decode(e, &u)
		return u.From, u.Type
	})
}

// notifications takes n notifications of a user, which must arrive in order.
func (d *device) notifications(n int, from string) {
	d.inOrder("notification", n, []string{from}, func(e raw.Event) (from, number string) {
		var note struct{ From, Title string }
		d.decode(e, &note)
		return note.From, note.Title
	})
}

func (d *device) inOrder(event string, n int, from []string, read func(raw.Event) (from, number string)) {
	next := make(map[string]int)
	for range n * len(from) {
		who, number := read(d.Next(event))
		if number != strconv.Itoa(next[who]) || !slices.Contains(from, who) {
			d.r.Fatalf("%s got %s %s of %s, want %d", d.user, event, number, who, next[who])
		}
		next[who]++
		d.r.deliveries.Add(1)
	}
}

func (d *device) decode(e raw.Event, into any) {
	if err := json.Unmarshal([]byte(e.Arg(0)), into); err != nil {
		d.r.Fatalf("%s: %v", e.Arg(0), err)
	}
}

// nothing checks that the device has no updates and notifications left.
func (d *device) nothing() {
	for _, name := range d.Names() {
		if name == "update" || name == "notification" {
			d.r.Fatalf("%s got an unexpected %s", d.user, name)
		}
	}
	d.Clear()
}

// slowReader checks that a client that stops reading is disconnected.
func (r *round) slowReader(publisher *device) {
	const most = 2000
	room, slow := r.name+"-slow", r.name+"-slow"
	publisher.ask("join-room", room)
	d := r.connect(slow, raw.WebSocket)
	d.ask("join-room", room)
	d.Stop()
	payload := strings.Repeat("x", 64<<10)
	for n := range most {
		publisher.ask("publish-update", update(room, n, payload))
		publisher.Next("update")
		if there, err := r.node.connected(slow); err != nil {
			r.Fatalf("%v", err)
		} else if !there {
			d.Close()
			publisher.ask("leave-room", room)
			return
		}
	}
	r.Fatalf("a client that does not read is connected after %d updates", most)
}

// silence checks that a client that answers no ping is disconnected.
func (r *round) silence(transport raw.Transport) {
	d := r.connect(r.name, transport)
	d.Stop()
	r.awaitDisconnected(r.name)
	d.Close()
}

// awaitDisconnected waits until the user is disconnected from the node.
func (r *round) awaitDisconnected(user string) {
	var err error
	if !eventually(func() bool {
		var there bool
		there, err = r.node.connected(user)
		return err != nil || !there
	}) || err != nil {
		r.Fatalf("%s is still connected, %v", user, err)
	}
}

// residents connects clients that stay for the whole load and receive an update now
// and then.
func (r *round) residents(ctx context.Context) {
	const count, every = 15, 200 * time.Millisecond
	devices := make([]*device, count)
	r.all(count, func(i int) {
		devices[i] = r.connect("resident-"+strconv.Itoa(i), raw.Transport(i%3))
		devices[i].ask("join-room", r.name)
	})
	for n := 0; ctx.Err() == nil; n++ {
		devices[0].ask("publish-update", update(r.name, n, ""))
		for i, d := range devices {
			var u struct{ Type string }
			if d.decode(d.Next("update"), &u); u.Type != strconv.Itoa(n) {
				r.Fatalf("resident %d got update %s, want %d", i, u.Type, n)
			}
			r.deliveries.Add(1)
		}
		rest(ctx, every)
	}
	for _, d := range devices {
		d.nothing()
		d.Send("1")
	}
}
