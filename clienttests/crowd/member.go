package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/puente-io/puente/server"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
)

const (
	// roomSize is the number of clients in a room.
	roomSize = 10
	// attemptTimeout bounds an attempt to connect, as in socket.io-client.
	attemptTimeout = 20 * time.Second
)

// member is a client, which reconnects until the crowd is closed.
type member struct {
	crowd             *crowd
	user, room, token string

	in       atomic.Bool
	since    atomic.Int64 // when it connected, Unix nanoseconds
	losses   atomic.Int64 // connections that have ended
	seen     int64        // losses at the beginning of the round; used by the crowd only
	news     atomic.Int64
	updates  atomic.Int64
	answered atomic.Bool

	mu   sync.Mutex
	conn net.Conn // nil if not connected
}

func roomOf(i int) string { return fmt.Sprint("room-", i/roomSize) }

func newMember(c *crowd, i int) (*member, error) {
	m := &member{crowd: c, user: fmt.Sprint("user-", i), room: roomOf(i)}
	var err error
	m.token, err = server.MintToken(config.Command{
		Config: config.Config{JWTSecret: config.NewSecret(secret)},
		Token:  config.Token{User: ident.Of(m.user), TTL: time.Hour},
	})
	return m, err
}

// live connects, and reconnects whenever the connection ends.
func (m *member) live() {
	failed := 0
	for m.crowd.wait(failed) {
		r, err := m.enter()
		if err != nil {
			failed++
			m.crowd.failed(kind(err))
			continue
		}
		failed = 0
		m.since.Store(time.Now().UnixNano())
		m.in.Store(true)
		m.stay(r)
		m.in.Store(false)
		m.losses.Add(1)
	}
}

// delay returns how long socket.io-client waits before an attempt: 1 s, doubled by
// each failed attempt, plus or minus up to half, and at most 5 s.
func delay(failed int) time.Duration {
	const least, most = time.Second, 5 * time.Second
	d := min(least<<min(failed, 8), 256*time.Second)
	d += time.Duration((rand.Float64() - 0.5) * float64(d))
	return min(d, most)
}

// after returns a channel that is closed after d, at once if d is 0, or when ctx is
// done.
func after(ctx context.Context, d time.Duration) <-chan struct{} {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx.Done()
}

// enter connects, authenticates and joins the room.
func (m *member) enter() (*bufio.Reader, error) {
	ctx, cancel := context.WithTimeout(m.crowd.ctx, attemptTimeout)
	defer cancel()
	conn, r, _, err := ws.Dial(ctx, "ws://"+m.crowd.addr+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = bufio.NewReaderSize(conn, 512)
	}
	stop := context.AfterFunc(m.crowd.ctx, func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(attemptTimeout))
	m.mu.Lock()
	m.conn = conn
	m.mu.Unlock()
	if err = m.introduce(r); err != nil {
		stop()
		m.leave()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return r, nil
}

func (m *member) introduce(r *bufio.Reader) error {
	m.send(`40{"token":"` + m.token + `"}`)
	if err := m.expect(r, `42["authenticated",`, `"userId":"`+m.user+`"`); err != nil {
		return err
	}
	m.send(`421["join-room","` + m.room + `"]`)
	return m.expect(r, `431[`, `"success":true,"roomId":"`+m.room+`"`)
}

// expect reads until a packet with the prefix, which must contain part.
func (m *member) expect(r *bufio.Reader, prefix, part string) error {
	for {
		p, err := m.read(r)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(p, "44"), strings.HasPrefix(p, "41"), strings.HasPrefix(p, prefix) && !strings.Contains(p, part):
			m.crowd.violation("%s was answered with %s", m.user, p)
			return io.EOF
		case strings.HasPrefix(p, prefix):
			return nil
		}
	}
}

// stay reads until the connection ends.
func (m *member) stay(r *bufio.Reader) {
	defer m.leave()
	for {
		p, err := m.read(r)
		switch {
		case err != nil:
			return
		case strings.HasPrefix(p, "41"):
			m.crowd.violation("%s received DISCONNECT, after which clients do not reconnect", m.user)
		case strings.HasPrefix(p, `42["news"`):
			m.count(&m.news, p, `42["news",%d]`, m.crowd.seq.Load())
		case strings.HasPrefix(p, `42["update"`):
			m.count(&m.updates, p, `42["update",{"roomId":"%s","type":"turn","payload":%d,"from":null,`, m.room, m.crowd.seq.Load())
		case strings.HasPrefix(p, "432["):
			m.answered.Store(true)
		}
	}
}

// count counts a packet, which must have the prefix.
func (m *member) count(counter *atomic.Int64, packet, format string, args ...any) {
	if want := fmt.Sprintf(format, args...); !strings.HasPrefix(packet, want) {
		m.crowd.violation("%s received %s, want %s", m.user, packet, want)
	}
	counter.Add(1)
}

func (m *member) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn.Close()
	m.conn = nil
}

func (m *member) ping() { m.send(`422["ping"]`) }

func (m *member) send(packet string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		wsutil.WriteClientText(m.conn, []byte(packet))
	}
}

// read returns the next packet, and answers pings.
func (m *member) read(r *bufio.Reader) (string, error) {
	for {
		frame, err := ws.ReadFrame(r)
		switch {
		case err != nil:
			return "", err
		case frame.Header.OpCode == ws.OpClose:
			return "", io.EOF
		case string(frame.Payload) == "2":
			m.send("3")
		case frame.Header.OpCode == ws.OpText:
			return string(frame.Payload), nil
		}
	}
}

// kind returns the reason for which an attempt failed, for counting.
func kind(err error) string {
	var status ws.StatusError
	switch {
	case errors.As(err, &status):
		return fmt.Sprint("status ", int(status))
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no free port"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	}
	return err.Error()
}
