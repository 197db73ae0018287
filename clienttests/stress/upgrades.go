package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/puente-io/puente/compat/raw"
)

// upgrades lets long-polling clients upgrade to a WebSocket, break the upgrade off, or
// try two at once, while the server sends to them. Each receives everything once and
// in order.
func upgrades(b *round) {
	const updates, upgraders = 60, 5
	room, from := b.name, b.name+"from"
	publisher := b.connect(1, from)
	publisher.ask("join-room", room)
	users := []string{from}
	all := make([]*upgrader, upgraders)
	ways, waits := b.rng.Perm(upgraders), make([]time.Duration, upgraders)
	for i := range all {
		users = append(users, fmt.Sprint(b.name, "u", i))
		waits[i] = time.Duration(b.rng.IntN(100)) * time.Millisecond
		all[i] = b.hop(b.cluster.node(i), users[1+i], room)
	}
	b.awaitMembers(room, upgraders+1, publisher)
	published := make(chan struct{})
	b.all(upgraders+1, func(i int) {
		if i == upgraders {
			defer close(published)
			for n := range updates {
				publisher.publish(room, n, "")
				time.Sleep(time.Millisecond)
			}
			return
		}
		h := all[i]
		time.Sleep(waits[i])
		switch ways[i] {
		case 0: // breaks the probe off, twice, and goes on polling
			h.probe(false)
			h.probe(true)
		case 1:
			h.probe(true)
			h.upgrade()
		case 2:
			h.probeTwice()
			h.upgrade()
		default:
			h.upgrade()
		}
		<-published // before the time runs in which they must arrive
		h.expect(updates, from)
		h.end()
	})
	publisher.updates(updates, from)
	b.leave(publisher)
	b.awaitGone(room, users...)
}

// upgrader is a client that connects with long-polling and may upgrade.
type upgrader struct {
	b    *round
	node *node
	http http.Client
	path string
	id   string // socket id

	polls   sync.WaitGroup
	mu      sync.Mutex // guards the fields below
	pause   bool       // no poll follows the current one
	closing bool       // and the current one may fail
	got     []string   // messages
	ended   bool
	socket  net.Conn
}

// hop connects a device of the user and joins the room.
func (b *round) hop(n *node, user, room string) *upgrader {
	h := &upgrader{b: b, node: n}
	transport := &http.Transport{}
	h.http = http.Client{Transport: transport, Timeout: waitTimeout}
	b.Cleanup(func() {
		h.stopPolling()
		h.mu.Lock()
		if h.socket != nil {
			h.socket.Close()
		}
		h.mu.Unlock()
		h.polls.Wait()
		transport.CloseIdleConnections()
	})
	h.path = "/socket.io/?EIO=4&transport=polling"
	open := h.do(http.MethodGet, "")
	var handshake struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(open, "0")), &handshake); err != nil {
		b.Fatalf("open packet %q: %v", open, err)
	}
	h.path += "&sid=" + handshake.SID
	h.do(http.MethodPost, `40{"token":"`+b.token(user)+`"}`)
	h.startPolling()
	h.until(`42["authenticated"`)
	h.do(http.MethodPost, `421["join-room","`+room+`"]`)
	h.until(`431[{"success":true`)
	h.id = strings.TrimSuffix(strings.TrimPrefix(h.until("40{"), `40{"sid":"`), `"}`)
	return h
}

func (h *upgrader) do(method, body string) string {
	status, text, err := h.request(method, body)
	if err != nil || status != http.StatusOK {
		h.b.Fatalf("%s: %d %s %v", method, status, text, err)
	}
	return text
}

func (h *upgrader) request(method, body string) (status int, text string, err error) {
	req, err := http.NewRequest(method, h.node.url+h.path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := h.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func (h *upgrader) startPolling() {
	h.mu.Lock()
	h.pause = false
	h.mu.Unlock()
	h.polls.Go(func() {
		for {
			h.mu.Lock()
			pause := h.pause
			h.mu.Unlock()
			if pause {
				return
			}
			status, body, err := h.request(http.MethodGet, "")
			h.mu.Lock()
			closing := h.closing
			h.mu.Unlock()
			switch {
			case closing:
				return // the session may have ended before this poll
			case err != nil || status != http.StatusOK:
				h.b.Fatalf("poll: %d %s %v", status, body, err)
			}
			for packet := range strings.SplitSeq(body, "\x1e") {
				h.take(packet)
			}
		}
	})
}

// stopPolling lets no poll follow the current one.
func (h *upgrader) stopPolling() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pause = true
}

func (h *upgrader) take(packet string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.HasPrefix(packet, "4") {
		h.got = append(h.got, packet)
	}
	if packet == "1" {
		h.ended, h.pause = true, true
	}
}

// until waits for a message with the prefix.
func (h *upgrader) until(prefix string) (found string) {
	if !eventually(func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, p := range h.got {
			if strings.HasPrefix(p, prefix) {
				found = p
				return true
			}
		}
		return h.ended
	}) || found == "" {
		h.b.Fatalf("timed out waiting for %s; received: %.1000q", prefix, h.got)
	}
	return found
}

// dial opens a WebSocket of the session.
func (h *upgrader) dial() (net.Conn, *bufio.Reader, error) {
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	path := strings.Replace(h.path, "polling", "websocket", 1)
	conn, r, _, err := ws.Dial(ctx, "ws"+strings.TrimPrefix(h.node.url, "http")+path)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		r = bufio.NewReader(conn)
	}
	conn.SetDeadline(time.Now().Add(waitTimeout))
	return conn, r, nil
}

// attempt opens a WebSocket for the upgrade and probes it. It retries, since the node
// refuses it until it has noticed that another one was closed.
func (h *upgrader) attempt() (conn net.Conn, r *bufio.Reader) {
	if !eventually(func() bool {
		var err error
		if conn, r, err = h.dial(); err != nil {
			return false
		}
		conn.Write(frames("2probe"))
		f, err := ws.ReadFrame(r)
		if err != nil || string(f.Payload) != "3probe" {
			conn.Close()
			return false
		}
		return true
	}) {
		h.b.Fatalf("timed out probing a WebSocket")
	}
	return conn, r
}

// probe sends the probe of an upgrade and closes the WebSocket, before the answer or
// after it.
func (h *upgrader) probe(answered bool) {
	if answered {
		conn, _ := h.attempt()
		conn.Close()
		return
	}
	conn, _, err := h.dial()
	if err != nil {
		h.b.Fatalf("upgrade: %v", err)
	}
	conn.Write(frames("2probe"))
	conn.Close()
}

// probeTwice probes a WebSocket and opens a second one, which the node must refuse.
func (h *upgrader) probeTwice() {
	conn, _ := h.attempt()
	defer conn.Close()
	second, r, err := h.dial()
	if err != nil {
		h.b.Fatalf("a second upgrade: %v", err)
	}
	defer second.Close()
	if f, err := ws.ReadFrame(r); err != nil || f.Header.OpCode != ws.OpClose {
		h.b.Errorf("a second upgrade was answered with %q, %v", f.Payload, err)
	}
}

// upgrade upgrades to a WebSocket as the official client does.
func (h *upgrader) upgrade() {
	conn, r := h.attempt()
	h.stopPolling()
	h.polls.Wait()
	conn.SetDeadline(time.Time{}) // which was for the probe
	h.mu.Lock()
	h.socket = conn
	h.mu.Unlock()
	conn.Write(frames("5"))
	h.polls.Go(func() {
		for {
			data, _, err := wsutil.ReadServerData(struct {
				io.Reader
				io.Writer
			}{r, conn})
			if err != nil {
				return
			}
			h.take(string(data))
		}
	})
}

// expect waits for n updates of the publisher, which must have arrived in order.
func (h *upgrader) expect(n int, from string) {
	updates := func() (list []raw.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, p := range h.got {
			if arg, ok := strings.CutPrefix(p, `42["update",`); ok {
				list = append(list, raw.Event{Name: "update", Args: []json.RawMessage{json.RawMessage(strings.TrimSuffix(arg, "]"))}})
			}
		}
		return list
	}
	if !eventually(func() bool { return len(updates()) >= n }) {
		h.b.Fatalf("%d of %d updates received", len(updates()), n)
	}
	for i, u := range updates() {
		if who, number := h.b.update(u); number != i || who != from || i >= n {
			h.b.Errorf("update %d is number %d of %s", i, number, who)
		}
	}
}

// end disconnects as a client does when its page is closed.
func (h *upgrader) end() {
	h.mu.Lock()
	socket := h.socket
	h.mu.Unlock()
	if socket != nil {
		socket.Close()
		h.b.awaitReason(h.node, h.id, cut...)
		return
	}
	h.mu.Lock()
	h.pause, h.closing = true, true
	h.mu.Unlock()
	h.do(http.MethodPost, "1")
	h.b.awaitReason(h.node, h.id, closed...)
}
