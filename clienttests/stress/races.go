package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/golang-jwt/jwt/v5"
)

// expiries lets tokens expire while some clients renew them. A client whose renewal
// succeeded stays connected; any other receives an error and is disconnected.
func expiries(b *round) {
	room, from := b.name, b.name+"from"
	publisher := b.connect(0, from)
	publisher.ask("join-room", room)
	waits := make([]time.Duration, 6)
	users := []string{from}
	for i := range waits {
		waits[i] = time.Duration(b.rng.IntN(2500)) * time.Millisecond // about the token's lifetime
		users = append(users, fmt.Sprint(b.name, "u", i))
	}
	stayed := make([]*client, len(waits))
	b.all(len(waits), func(i int) {
		user := users[1+i]
		c, refusal := b.try(b.cluster.node(i), map[string]string{"token": b.expiring(user)})
		if refusal != "" {
			if !strings.Contains(refusal, `"token_expired"`) { // as it may be on a busy machine
				b.Errorf("%s was refused: %s", user, refusal)
			}
			return
		}
		_, err := c.Start("join-room", room)() // fails if the token has expired already
		renewed := false
		if i > 0 && err == nil { // the first client never renews
			time.Sleep(waits[i])
			e, err := c.Start("authenticate", map[string]string{"token": b.token(user)})()
			renewed = err == nil && b.answer(e).Success
		}
		if renewed {
			stayed[i] = c
			return
		}
		<-c.Done()
		if c.Ended() {
			b.Errorf("%s received DISCONNECT, after which clients do not reconnect", user)
		}
		c.awaitReason(expired...)
		c.Close()
		if n := len(c.Events("error")); n != 1 {
			b.Errorf("%s received %d errors, want 1", user, n)
		}
	})
	time.Sleep(2100 * time.Millisecond) // until every first token has expired
	var staying []*client
	for _, c := range stayed {
		if c != nil {
			staying = append(staying, c)
		}
	}
	b.awaitMembers(room, len(staying)+1, append(staying, publisher)...)
	publisher.publish(room, 0, "")
	for _, c := range staying {
		c.updates(1, from)
	}
	b.leave(append(staying, publisher)...)
	b.awaitGone(room, users...)
}

// expiring signs a token that is valid for one or two seconds more.
func (b *round) expiring(user string) string {
	const leeway = 30 * time.Second
	claims := jwt.MapClaims{"userId": user, "exp": time.Now().Add(2*time.Second - leeway).Unix()}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		b.Fatalf("token: %v", err)
	}
	return text
}

// middleware disconnects clients in every way while middleware still decides about
// them; one client stays.
func middleware(b *round) {
	room, user := b.name, b.name+"u"
	connect := fmt.Sprintf(`40{"token":%q,"delay":%d}`, b.token(user), 5+b.rng.IntN(30))
	for i := range 30 {
		conn := b.dial(i)
		conn.Write(append([]byte(upgrade), frames(connect, `42["join-room","`+room+`"]`)...))
		wait, way := time.Duration(b.rng.IntN(40))*time.Millisecond, b.rng.IntN(4)
		time.AfterFunc(wait, func() {
			switch way {
			case 0:
				conn.Write(frames("41"))
			case 1:
				conn.Write(frames("1"))
			case 2:
				conn.SetLinger(0)
			}
			conn.Close()
		})
	}
	stays := b.connectWith(b.cluster.node(0), map[string]any{"token": b.token(b.name), "delay": 20})
	stays.ask("join-room", room)
	if !eventually(func() bool { return stays.ask("join-room", room).Total == 1 }) {
		b.Errorf("a client that disconnected during middleware is still in the room")
	}
	b.leave(stays)
	b.awaitGone(room, user, b.name)
}

// frames returns masked text frames.
func frames(texts ...string) (b []byte) {
	for _, text := range texts {
		b = append(b, ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text))))...)
	}
	return b
}

// drains starts a third node and stops it while clients publish on it. Acknowledged
// updates arrive on the first node once and in order, and the clients are
// disconnected in a way after which they reconnect.
func drains(b *round) {
	const publishers = 3
	n, err := startNode(b.cluster.redis.url())
	if err != nil {
		b.Fatalf("node: %v", err)
	}
	stop := func() error { return nil }
	b.Cleanup(func() {
		if err := stop(); err != nil {
			b.Errorf("the drained node: %v", err)
		}
	})
	stop = n.stop
	room, witness := b.name, b.connect(0, b.name+"witness")
	witness.ask("join-room", room)
	var users []string
	var clients []*client
	for i := range publishers {
		users = append(users, fmt.Sprint(b.name, "u", i))
		clients = append(clients, b.connectTo(n, users[i]))
		clients[i].ask("join-room", room)
	}
	if !eventually(func() bool { return !n.degraded() }) {
		b.Fatalf("the third node is not connected")
	}
	b.awaitMembers(room, publishers+1, witness)
	var acked, sent [publishers]atomic.Int64
	var refused sync.Map // user and number of an update that Redis was too slow for
	first := make(chan struct{}, publishers)
	go func() {
		for range publishers {
			<-first
		}
		n.cancel()
	}()
	b.all(publishers, func(i int) {
		defer func() { first <- struct{}{} }() // in case it fails before update 10
		for number := 0; ; number++ {
			e, err := clients[i].Start("publish-update", map[string]any{"roomId": room, "type": fmt.Sprint(number)})()
			if err != nil {
				break
			}
			sent[i].Store(int64(number + 1))
			switch a := b.answer(e); {
			case a.Success:
				acked[i].Store(int64(number + 1))
			case a.Error.Code == "unavailable": // on a busy machine; the update may still arrive
				refused.Store(fmt.Sprint(users[i], " ", number), true)
			default:
				b.Errorf("publish-update: %s", a.Error.Code)
			}
			if number == 10 {
				first <- struct{}{}
			}
			time.Sleep(time.Millisecond)
		}
		if clients[i].Ended() {
			b.Errorf("%s received DISCONNECT", users[i])
		}
		clients[i].awaitReason(drained...)
	})
	stop = func() error { return nil }
	if err := <-n.ran; err != nil {
		b.Errorf("the drained node: %v", err)
	}
	// One more update per publisher may have been accepted and its acknowledgement lost.
	b.awaitMembers(room, 1, witness)
	// Presence and updates use separate connections, so updates may arrive later.
	next := make(map[string]int)
	eventually(func() bool {
		for _, u := range witness.Events("update") {
			from, number := b.update(u)
			for next[from] < number {
				if _, skip := refused.Load(fmt.Sprint(from, " ", next[from])); !skip {
					break
				}
				next[from]++
			}
			if number != next[from] {
				b.Errorf("update %d of %s, want %d", number, from, next[from])
			}
			next[from] = number + 1
		}
		for i, user := range users {
			if next[user] < int(acked[i].Load()) {
				return false
			}
		}
		return true
	})
	for i, user := range users {
		if got, want, most := next[user], int(acked[i].Load()), int(sent[i].Load())+1; got < want || got > most {
			b.Errorf("%d updates of %s arrived, %d were acknowledged, %d sent", got, user, want, most)
		}
	}
	b.leave(witness)
	b.awaitGone(room, append(users, b.name+"witness")...)
}

// redisRestarts kills and restarts Redis. While it is down, members on the publisher's
// node receive everything; before and after, all members do.
func redisRestarts(b *round) {
	const updates = 10
	c := b.restarting
	room, users := b.name, []string{b.name + "from", b.name + "near", b.name + "far"}
	publisher, near, far := b.connectTo(c.nodes[0], users[0]), b.connectTo(c.nodes[0], users[1]), b.connectTo(c.nodes[1], users[2])
	for _, m := range []*client{publisher, near, far} {
		m.ask("join-room", room)
	}
	b.awaitMembers(room, 3, publisher, near, far)
	publish := func() {
		for n := range updates {
			publisher.publish(room, n, "")
		}
	}
	publish()
	for _, m := range []*client{publisher, near, far} {
		m.updates(updates, users[0])
	}

	c.redis.kill()
	publish() // far may receive some of it
	for _, m := range []*client{publisher, near} {
		m.updates(updates, users[0])
	}
	if b.rng.IntN(2) == 0 && !eventually(c.degraded) {
		b.Errorf("no node is degraded without Redis")
	}
	if err := c.redis.up(); err != nil {
		b.Fatalf("redis-server: %v", err)
	}
	if !eventually(func() bool { return !c.degraded() }) {
		b.Fatalf("a node is degraded although Redis is back")
	}
	b.awaitMembers(room, 3, publisher, near, far)
	last := -1
	far.Names()
	for _, u := range far.Events("update") {
		if _, n := b.update(u); n <= last {
			b.Errorf("update %d arrived after %d", n, last)
		} else {
			last = n
		}
	}
	// Wait until an update arrives: messages have their own connection.
	if !eventually(func() bool {
		publisher.publish(room, probe, "")
		publisher.Next("update")
		near.Next("update")
		return strings.Contains(strings.Join(far.Names(), " "), "update")
	}) {
		b.Fatalf("no update arrives after Redis is back")
	}
	far.Clear()
	b.ignoreGaps() // from here on no gap is expected
	publish()
	for _, m := range []*client{publisher, near, far} {
		m.updates(updates, users[0])
	}
	b.leave(publisher, near, far)
	b.awaitGoneFrom(c, room, users...)
}
