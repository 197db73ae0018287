package hardening_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/waittest"
)

// A thousand WebSocket handshakes, half of them upgrades of one session, are
// reset at different points of the handshake.
func TestResetsDuringUpgrade(t *testing.T) {
	n := start(t)
	bystander := n.user("bystander")
	check := n.unchangedBut(1)
	session := n.session()
	probe := strings.Replace(session, "polling", "websocket", 1)
	for i := range 1000 {
		path := []string{webSocket, probe}[i%2]
		request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, upgradeLines)
		conn := n.dial()
		switch i % 5 {
		case 0: // in the middle of the headers
			request = request[:len(request)/2]
		case 1: // after the headers, without reading the response
		case 2, 3: // with an incomplete frame
			request += "\x81\x86\x00\x00\x00\x002pr"
		case 4: // with a probe
			request += "\x81\x86\x00\x00\x00\x002probe"
		}
		conn.Write([]byte(request))
		conn.SetLinger(0)
		conn.Close()
	}
	n.lives(session) // no probe has upgraded it
	n.do("POST", session, strings.NewReader("1"))
	bystander.alive()
	check()
}

// Connections stop after nothing, part of a header, a body or a frame, or before
// CONNECT. Meanwhile other clients are served, and no session or goroutine is
// left when they close. Package server tests their deadlines, on a fake clock.
func TestHalfOpenConnections(t *testing.T) {
	n := start(t)
	bystander := n.user("bystander")
	check := n.unchangedBut(1)
	ws := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", webSocket, upgradeLines)
	var conns []net.Conn
	for i := range 270 {
		conn := n.dial()
		fmt.Fprint(conn, []string{
			"", "G", "GET " + polling + " HTTP/1.1\r\nHost: x\r\nX-Drip: ",
			"POST " + polling + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4",
			"POST /api/ws/updates HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + apiKey + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
			ws, ws + "\x81", ws + "\x81\xfe\x80\x00\x00\x00\x00\x0042[", ws + "\x01\x82\x00\x00\x00\x0042",
		}[i%9])
		conns = append(conns, conn)
	}
	waittest.Until(t, "the WebSockets are open", func() bool { return n.SocketIO().Engine().Count() == 1+4*270/9 })
	bystander.alive()
	n.user("next").conn.Close()
	for _, conn := range conns {
		conn.Close()
	}
	bystander.alive()
	check()
}

// A client that stops reading is disconnected, and other members of its room
// receive everything, in order.
func TestStopsReading(t *testing.T) {
	n := start(t, "WS_SLOW_TIMEOUT=1000")
	publisher, good := n.user("publisher", "other"), n.user("good", "r")
	slow := n.user("slow", "r")
	slow.conn.(*net.TCPConn).SetReadBuffer(4096)
	if total := publisher.members("r"); total != 3 { // including the publisher
		t.Fatalf("%d members", total)
	}
	check := n.unchangedBut(3)
	payload := strings.Repeat("x", 64<<10)
	const most = 2000 // 128 MB, far above every bound
	var left []string
	sent := 0
	for ; sent < most && n.IsConnected("slow"); sent++ {
		publisher.ask(fmt.Sprintf(`"publish-update",{"roomId":"r","type":"%d","payload":"%s"}`, sent, payload))
		for {
			p := good.next()
			if strings.HasPrefix(p, `42["user-left"`) {
				left = append(left, p) // before or after the update
			} else if strings.HasPrefix(p, `42["update"`) {
				if !strings.Contains(p, fmt.Sprintf(`"type":"%d"`, sent)) {
					t.Fatalf("update %d: got %.100s", sent, p)
				}
				break
			}
		}
	}
	t.Logf("disconnected after %d updates", sent)
	if sent == most {
		t.Error("the queue is not bounded")
	}
	if len(left) == 0 {
		left = append(left, good.until(`42["user-left"`))
	}
	if !strings.Contains(left[0], `"userId":"slow"`) {
		t.Errorf("left: %s", left)
	}
	if got := n.SocketIO().Engine().Count(); got != 2 {
		t.Errorf("%d sessions", got)
	}
	check()
}

// members joins the room and returns how many users are in it.
func (c *client) members(room string) (total int) {
	c.t.Helper()
	_, after, _ := strings.Cut(c.ask(`"join-room","`+room+`"`), `"total":`)
	fmt.Sscanf(after, "%d", &total)
	return total
}

// IsConnected reports whether the user has a connected device.
func (n *node) IsConnected(user string) bool { return n.Service().IsUserConnected(ident.Of(user)) }

// A server is restarted on its port, and all its clients reconnect at once. They
// retry until they are connected, and each must receive what is broadcast then.
func TestAllReconnectAtOnce(t *testing.T) {
	clients := 1000 // make crowd has ten thousand, without the race detector
	if testing.Short() {
		clients = 200
	}
	// The port must not be an ephemeral one: while nothing listens there, a client
	// could connect to itself.
	port := fmt.Sprint("HTTP_PORT=", 10_000+rand.IntN(20_000))
	n := start(t, port, "SHUTDOWN_TIMEOUT=4000") // long enough to close that many
	addr, token := n.addr, n.token("ana")
	back := make(chan struct{})
	var in, again atomic.Int64
	stay := make(chan struct{})
	var all errgroup.Group
	for range clients {
		all.Go(func() error {
			c, err := admitted(addr, token)
			if err != nil {
				return err
			}
			in.Add(1)
			for err == nil {
				_, err = c.read()
			}
			c.conn.Close()
			<-back
			for end := time.Now().Add(wait); ; {
				if c, err = admitted(addr, token); err == nil {
					break
				}
				if time.Now().After(end) {
					return err
				}
			}
			defer c.conn.Close()
			again.Add(1)
			for err == nil {
				var p string
				if p, err = c.read(); strings.HasPrefix(p, `42["news"`) {
					<-stay
					return nil
				}
			}
			return err
		})
	}
	waittest.Until(t, "all are in", func() bool { return in.Load() == int64(clients) })
	n.Stop()
	close(back) // the first attempts fail
	n = start(t, port)
	waittest.Until(t, "all are back", func() bool {
		return again.Load() == int64(clients) && n.Service().Stats().ActiveConnections == int64(clients)
	})
	if err := n.Service().Broadcast(t.Context(), "news"); err != nil {
		t.Error(err)
	}
	close(stay)
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
}

// admitted connects and waits until the client is authenticated.
func admitted(addr, token string) (*client, error) {
	c, err := connect(addr)
	if err != nil {
		return nil, err
	}
	if err = c.send(`40{"token":"` + token + `"}`); err == nil {
		for {
			var p string
			if p, err = c.read(); err != nil || strings.HasPrefix(p, `42["authenticated"`) {
				break
			}
		}
	}
	if err != nil {
		c.conn.Close()
		return nil, err
	}
	return c, nil
}
