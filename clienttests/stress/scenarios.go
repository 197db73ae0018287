package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/puente-io/puente/server/ident"
)

var scenarios = []scenario{
	{name: "good clients", round: goodClients},
	{name: "slow readers", round: slowReaders},
	{name: "bursts", round: bursts},
	{name: "garbage", round: garbage},
	{name: "resets", round: resets},
	{name: "half-open", round: halfOpen},
	{name: "storms", round: storms},
	{name: "rooms", round: rooms},
	{name: "authentication", round: authentication},
	{name: "expiries", round: expiries},
	{name: "middleware", round: middleware},
	{name: "upgrades", round: upgrades},
	{name: "drains", round: drains, redis: true},
	{name: "redis restarts", round: redisRestarts, redis: true, restarts: true},
}

// goodClients has two publishers and four members in a room, which receive everything
// in order. A member that leaves receives no more.
func goodClients(b *round) {
	const updates = 50
	room := b.name
	users := []string{b.name + "a", b.name + "b", b.name + "c", b.name + "d"}
	clients := make([]*client, len(users))
	for i, user := range users {
		clients[i] = b.connect(i, user)
		clients[i].ask("join-room", room)
	}
	b.awaitMembers(room, len(users), clients...)
	b.all(2, func(i int) {
		for n := range updates {
			clients[i].publish(room, n, "")
		}
	})
	for _, c := range clients {
		c.updates(updates, users[:2]...)
	}
	clients[3].ask("leave-room", room)
	b.awaitMembers(room, 3, clients[:3]...)
	clients[0].publish(room, 0, "")
	for _, c := range clients[:3] {
		c.updates(1, users[0])
	}
	clients[3].updates(0)
	b.leave(clients...)
	b.awaitGone(room, users...)
}

// slowReaders has a member that stops reading, which is disconnected, and another,
// which receives everything.
func slowReaders(b *round) {
	const most = 2000
	room, user, from := b.name, b.name+"slow", b.name+"from"
	publisher, good, bad := b.connect(0, from), b.connect(1, b.name+"good"), b.connect(1, user)
	for _, c := range []*client{publisher, good, bad} {
		c.ask("join-room", room)
	}
	b.awaitMembers(room, 3, publisher, good)
	bad.Stop()
	payload := strings.Repeat("x", 32<<10+b.rng.IntN(64<<10))
	sent := 0
	for ; sent < most && b.cluster.node(1).Service().IsUserConnected(ident.Of(user)); sent++ {
		publisher.publish(room, sent, payload)
	}
	if sent == most {
		b.Errorf("a client that does not read is connected after %d updates", sent)
	}
	good.updates(sent, from)
	bad.awaitReason(slow...)
	bad.Close()
	b.leave(good, publisher)
	b.awaitGone(room, user, from, b.name+"good")
}

// storms connects many clients at once, cuts them off, and reconnects them to the
// other node. Each time every client receives an update.
func storms(b *round) {
	const count = 50
	room, from := b.name, b.name+"from"
	var users []string
	for i := range count {
		users = append(users, fmt.Sprint(b.name, "u", i))
	}
	publisher := b.connect(0, from)
	publisher.ask("join-room", room)
	rough := b.rng.Perm(count)
	clients := make([]*client, count)
	for shift := range 2 {
		b.all(count, func(i int) {
			clients[i] = b.connect(i+shift, users[i])
			clients[i].ask("join-room", room)
		})
		b.awaitMembers(room, count+1, publisher, clients[0], clients[1])
		publisher.publish(room, 0, "")
		b.all(count, func(i int) {
			clients[i].updates(1, from)
			if rough[i]%2 == 0 {
				clients[i].Reset()
			} else {
				clients[i].Close()
			}
			clients[i].awaitReason(cut...)
		})
	}
	b.leave(publisher)
	b.awaitGone(room, append(users, from)...)
}

// rooms lets the devices of one user join, leave and disconnect concurrently.
func rooms(b *round) {
	room, user := b.name, b.name+"u"
	waits := b.rng.Perm(6)
	b.all(len(waits), func(i int) {
		c := b.connect(i, user)
		var answers []func()
		for n := range 40 {
			event := []string{"join-room", "leave-room", "publish-update"}[(n+waits[i])%3]
			arg := any(room)
			if event == "publish-update" {
				arg = map[string]string{"roomId": room, "type": "x"}
			}
			post := c.Post(event, arg)
			answers = append(answers, func() { b.answer(post()) })
		}
		if waits[i]%2 == 0 { // the others disconnect before the answers
			for _, wait := range answers {
				wait()
			}
			c.Close()
		} else {
			c.Reset()
		}
	})
	b.awaitGone(room, user)
}

// authentication lets each connection authenticate as several users, with valid and
// invalid tokens, while it joins and is cut off.
func authentication(b *round) {
	room := b.name
	users := []string{b.name + "a", b.name + "b"}
	waits := b.rng.Perm(6)
	b.all(len(waits), func(i int) {
		c := b.connect(i, "")
		var answers []func()
		for n := range 12 {
			event, arg := "authenticate", any(map[string]string{"token": b.token(users[n%2])})
			switch (n + waits[i]) % 4 {
			case 1:
				arg = map[string]string{"token": b.token(users[0])[1:]}
			case 2:
				event, arg = "join-room", room
			}
			post := c.Post(event, arg)
			answers = append(answers, func() { b.answer(post()) })
		}
		if waits[i]%2 == 0 {
			for _, wait := range answers {
				wait()
			}
			c.Close()
		} else {
			c.Reset()
		}
	})
	b.awaitGone(room, users...)
}

// resets resets connections during their handshake or while they send events.
func resets(b *round) {
	room := b.name
	for i := range 30 {
		if b.rng.IntN(2) == 0 {
			c := b.connect(i, fmt.Sprint(b.name, "u", i))
			c.Emit("join-room", room)
			c.Emit("publish-update", map[string]any{"roomId": room, "type": "x"})
			c.Reset()
			continue
		}
		text := upgrade + "\x81\x86\x00\x00\x00\x002probe"
		conn := b.dial(i)
		conn.Write([]byte(text[:b.rng.IntN(len(text)+1)]))
		conn.SetLinger(0)
		conn.Close()
	}
	b.awaitGone(room)
}

const upgrade = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// halfOpen opens connections that send part of a request or frame, stay for a while,
// and close.
func halfOpen(b *round) {
	for i := range 30 {
		conn := b.dial(i)
		b.Cleanup(func() { conn.Close() })
		text := []string{
			upgrade, upgrade + "\x81\xfe\x80\x00\x00\x00\x00\x0042[",
			"POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4",
			"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ",
		}[b.rng.IntN(4)]
		conn.Write([]byte(text[:b.rng.IntN(len(text)+1)]))
	}
	time.Sleep(time.Duration(50+b.rng.IntN(200)) * time.Millisecond)
	good := b.connect(0, b.name)
	good.Ask("ping")
	good.Close()
}

// garbage sends invalid packets, invalid frames, and random bytes.
func garbage(b *round) {
	for i := range 30 {
		switch b.rng.IntN(3) {
		case 0: // invalid packets
			c := b.connect(i, fmt.Sprint(b.name, "u", i))
			for range 20 {
				c.Send(mutated(b.rng))
			}
			c.Close()
		case 1: // invalid frames
			conn := b.dial(i)
			conn.Write(append([]byte(upgrade), noise(b.rng)...))
			conn.Close()
		case 2: // random bytes instead of HTTP
			conn := b.dial(i)
			conn.Write(noise(b.rng))
			conn.Close()
		}
	}
	good := b.connect(1, b.name)
	good.Ask("ping")
	good.Close()
}

func (b *round) dial(i int) *net.TCPConn {
	conn, err := net.Dial("tcp", b.cluster.node(i).addr)
	if err != nil {
		b.Fatalf("%v", err)
	}
	return conn.(*net.TCPConn)
}

// mutated returns a valid packet with up to three random changes.
func mutated(rng *rand.Rand) string {
	packets := []string{
		`42["join-room","garbage"]`, `4212["publish-update",{"roomId":"garbage","type":"x","payload":[[[1]]]}]`, `431[1]`, `40/x,{"a":1}`, `3`,
		`451-["publish-update",{"roomId":"garbage","type":"x","payload":{"_placeholder":true,"num":0}}]`, `42["authenticate",{"token":"a.b.c"}]`,
	}
	p := []byte(packets[rng.IntN(len(packets))])
	for range rng.IntN(4) {
		at := rng.IntN(len(p))
		switch rng.IntN(3) {
		case 0:
			p[at] = byte(' ' + rng.IntN(95))
		case 1:
			p = append(p[:at], p[min(at+1+rng.IntN(5), len(p)):]...)
		case 2:
			p = append(p[:at:at], append([]byte(strings.Repeat(string(p[at]), 1+rng.IntN(600))), p[at:]...)...)
		}
		if len(p) == 0 {
			return ""
		}
	}
	return string(p)
}

func noise(rng *rand.Rand) []byte {
	b := make([]byte, 1+rng.IntN(4000))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
