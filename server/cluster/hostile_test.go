package cluster_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/cluster"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/waittest"
)

// impostor is a server that a node takes for Redis, until it says something else.
type impostor struct {
	listener net.Listener
	running  sync.WaitGroup

	mu         sync.Mutex
	conns      map[net.Conn]bool
	subscribed map[net.Conn][]string
	answer     string // to every command, if it is not ""
}

func newImpostor(t *testing.T) *impostor {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := &impostor{listener: l, conns: make(map[net.Conn]bool), subscribed: make(map[net.Conn][]string)}
	i.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			i.mu.Lock()
			i.conns[conn] = true
			i.mu.Unlock()
			i.running.Go(func() { i.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		i.mu.Lock()
		for conn := range i.conns {
			conn.Close()
		}
		i.mu.Unlock()
		i.running.Wait()
	})
	return i
}

func (i *impostor) url() string { return "redis://" + i.listener.Addr().String() }

// command reads a command.
func command(r *bufio.Reader) (words []string, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	for range n {
		if line, err = r.ReadString('\n'); err != nil {
			return nil, err
		}
		size, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
		word := make([]byte, size+2)
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, err
		}
		words = append(words, string(word[:size]))
	}
	return words, nil
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func (i *impostor) serve(conn net.Conn) {
	defer func() {
		i.mu.Lock()
		delete(i.conns, conn)
		delete(i.subscribed, conn)
		i.mu.Unlock()
		conn.Close()
	}()
	r := bufio.NewReader(conn)
	for {
		words, err := command(r)
		if err != nil {
			return
		}
		i.mu.Lock()
		answer := i.answer
		if answer == "" {
			answer = i.reply(conn, words)
		}
		io.WriteString(conn, answer)
		i.mu.Unlock()
	}
}

// reply returns what Redis would reply. i.mu is held.
func (i *impostor) reply(conn net.Conn, words []string) (reply string) {
	switch name := strings.ToLower(words[0]); name {
	case "subscribe", "psubscribe":
		for _, channel := range words[1:] {
			i.subscribed[conn] = append(i.subscribed[conn], channel)
			reply += "*3\r\n" + bulk(name) + bulk(channel) + ":1\r\n"
		}
		return reply
	case "publish":
		n := 0
		for conn, channels := range i.subscribed {
			for _, channel := range channels {
				if channel == words[1] {
					n++
					io.WriteString(conn, "*3\r\n"+bulk("message")+bulk(channel)+bulk(words[2]))
				}
			}
		}
		return fmt.Sprintf(":%d\r\n", n)
	case "pubsub":
		for _, channel := range words[2:] {
			reply += bulk(channel) + ":1\r\n"
		}
		return fmt.Sprintf("*%d\r\n%s", 2*len(words[2:]), reply)
	case "role":
		return "*3\r\n" + bulk("master") + ":0\r\n*0\r\n"
	case "ping":
		return "*2\r\n" + bulk("pong") + bulk("")
	}
	return "-ERR unknown command\r\n"
}

// attack sends text to all subscribed connections.
func (i *impostor) attack(text string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for conn := range i.subscribed {
		io.WriteString(conn, text) // an error means that the node has closed it already
	}
}

func (i *impostor) answers(text string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = text
}

// Malformed messages of the adapter and of presence are counted together.
func TestMalformedAreCounted(t *testing.T) {
	server := redistest.Start(t)
	c, err := cluster.Open(cluster.Options{URL: server.URL(), Prefix: "m"})
	if err != nil {
		t.Fatal(err)
	}
	io := socketio.New(socketio.Options{Adapter: c.Adapter()})
	io.Namespace("/")
	defer c.Close(t.Context())
	defer io.Close(t.Context())
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := c.Malformed()
	for _, channel := range []string{"m#/#", "m-request#/#", "m-response#/#", "m-presence#"} {
		server.Do("PUBLISH", channel, "nonsense")
	}
	waittest.Until(t, "four malformed messages are counted", func() bool { return c.Malformed() == before+4 })
}

// HARDENING, cluster: what a server says that is not Redis, or a hostile one, ends only
// the connection on which it says it.
func TestHostileRedis(t *testing.T) {
	redis := newImpostor(t)
	c, err := cluster.Open(cluster.Options{URL: redis.url()})
	if err != nil {
		t.Fatal(err)
	}
	io := socketio.New(socketio.Options{Adapter: c.Adapter()})
	io.Namespace("/")
	defer c.Close(t.Context())
	defer io.Close(t.Context())
	healthy := func(when string) {
		t.Helper()
		waittest.Until(t, "the node is connected "+when, func() bool {
			h := c.Health()
			redis.mu.Lock()
			defer redis.mu.Unlock()
			return (!h.Degraded || h.Connected) && len(redis.subscribed) == 2
		})
	}
	healthy("at the start")
	for _, attack := range []string{
		"*4\r\n$9223372036854775800\r\n", "*3\r\n$60000000000\r\n", "*4611686018427387904\r\n", "*3000000000\r\n", "*0\r\n", "*1\r\n:1\r\n",
		"*3\r\n:1\r\n:2\r\n:3\r\n", "*1\r\n" + bulk("subscribe"), "*3\r\n" + bulk("subscribe") + bulk("a") + bulk("b"), "*2\r\n" + bulk("message") + bulk("a"),
		"*4\r\n" + bulk("pmessage") + "$-1\r\n$-1\r\n$-1\r\n", "*2\r\n" + bulk("pong") + ":1\r\n",
		strings.Repeat("*1\r\n", 1<<20), strings.Repeat("|0\r\n", 1<<20), "+" + strings.Repeat("x", 1<<20), ">0\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n", "\n",
	} {
		before := c.Stats().Gaps
		redis.attack(attack)
		waittest.Until(t, fmt.Sprintf("%.40q ends the subscription", attack), func() bool { return c.Stats().Gaps > before })
		healthy(fmt.Sprintf("after %.40q", attack))
	}
	for _, answer := range []string{
		"$9223372036854775800\r\n", "*3000000000\r\n", "*0\r\n", "*1\r\n:1\r\n", "$-1\r\n", "+OK\r\n", "-" + strings.Repeat("x", 60<<10) + "\r\n",
		"*2\r\n$-1\r\n$-1\r\n", "*3\r\n" + bulk("replica") + bulk("") + bulk(""), "%1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
	} {
		redis.answers(answer)
		waittest.Until(t, fmt.Sprintf("%.40q degrades the node", answer), func() bool { h := c.Health(); return h.Degraded && !h.Connected })
		if reason := c.Health().Reason; len(reason) > 1000 {
			t.Errorf("a reason of %d bytes", len(reason))
		}
		redis.answers("")
		healthy(fmt.Sprintf("after %.40q", answer))
	}
}
