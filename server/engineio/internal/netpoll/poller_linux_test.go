package netpoll

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// wait bounds every wait. No correct result depends on its value.
const wait = 10 * time.Second

// owner is a handler that writes down what it is given.
type owner struct {
	Conn
	read     func([]byte) (Next, Task) // nil: More
	in       chan string
	writable chan struct{}
	end      chan error
}

func (o *owner) HandleRead(b []byte) (Next, Task) {
	o.in <- string(b)
	if o.read != nil {
		return o.read(b)
	}
	return More, nil
}

func (o *owner) HandleWritable() {
	select {
	case o.writable <- struct{}{}:
	default:
	}
}

func (o *owner) HandleEnd(err error) {
	o.Conn.Close()
	o.end <- err
}

// goroutines runs each task on its own.
type goroutines struct{ sync.WaitGroup }

func (g *goroutines) run(tasks ...Task) {
	for _, t := range tasks {
		g.Go(t.Run)
	}
}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	var g goroutines
	p, err := New(g.run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		waittest.Until(t, "the poller has forgotten all", func() bool { return p.Count() == 0 })
		p.Close()
		g.Wait()
		if err := p.add(new(Conn)); !errors.Is(err, ErrClosed) {
			t.Errorf("add on a closed poller: %v", err)
		}
	})
	return p
}

// pair returns both ends of a TCP connection.
func pair(t *testing.T) (server, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

// take starts a connection and returns its owner and the client's end.
func take(t *testing.T, p *Poller, read func([]byte) (Next, Task)) (*owner, *net.TCPConn) {
	t.Helper()
	server, client := pair(t)
	o := &owner{read: read, in: make(chan string, 1000), writable: make(chan struct{}, 1), end: make(chan error, 1)}
	if !p.Take(&o.Conn, server, o) {
		t.Fatal("a TCP connection is not taken")
	}
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	return o, client
}

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(wait):
		t.Fatalf("%s does not come", what)
		panic("unreachable")
	}
}

// Everything that the peer sends is read, and then the end is reported once.
func TestRead(t *testing.T) {
	p := newPoller(t)
	o, client := take(t, p, nil)
	for _, s := range []string{"a", "b", string(make([]byte, readSize))} {
		io.WriteString(client, s)
		for got := ""; got != s; {
			if got += receive(t, o.in, "what was written"); len(got) > len(s) {
				t.Fatalf("got %d bytes, want %d", len(got), len(s))
			}
		}
	}
	io.WriteString(client, "last")
	client.Close()
	if got := receive(t, o.in, "the last"); got != "last" {
		t.Errorf("got %q", got)
	}
	if err := receive(t, o.end, "the end"); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// A reset ends a connection with an error. Shutdown and Stop end it without one, however
// much is unread.
func TestEnds(t *testing.T) {
	p := newPoller(t)
	o, client := take(t, p, nil)
	client.SetLinger(0)
	client.Close()
	if err := receive(t, o.end, "the reset"); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a reset ends with %v", err)
	}
	o, _ = take(t, p, nil)
	o.Shutdown()
	if err := receive(t, o.end, "the end"); err != nil {
		t.Errorf("Shutdown ends with %v", err)
	}
	o, client = take(t, p, func([]byte) (Next, Task) { return Stop, nil })
	io.WriteString(client, "x")
	if err := receive(t, o.end, "the end"); err != nil {
		t.Errorf("Stop ends with %v", err)
	}
	if _, err := o.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	if o.Control(func(int) { t.Error("called") }) {
		t.Error("Control after Close")
	}
}

// A connection that is paused reads nothing more, and ends with its client.
func TestPause(t *testing.T) {
	p := newPoller(t)
	o, client := take(t, p, func([]byte) (Next, Task) { return Pause, nil })
	io.WriteString(client, "first")
	receive(t, o.in, "the first")
	io.WriteString(client, "second")
	client.Close()
	receive(t, o.end, "the end")
	if len(o.in) != 0 {
		t.Errorf("read %q", <-o.in)
	}
}

// A task blocks neither the reading of its connection nor of another.
func TestTasks(t *testing.T) {
	p := newPoller(t)
	release := make(chan struct{})
	ran := make(chan string, 10)
	o, client := take(t, p, func(b []byte) (Next, Task) {
		name := string(b)
		return More, taskFunc(func() { <-release; ran <- name })
	})
	for _, s := range []string{"a", "b", "c"} {
		io.WriteString(client, s)
		receive(t, o.in, s)
	}
	close(release)
	for range 3 {
		receive(t, ran, "a task")
	}
	o.Shutdown()
	receive(t, o.end, "the end")
}

type taskFunc func()

func (f taskFunc) Run() { f() }

// A write that the peer does not take returns the rest, and HandleWritable says when to
// continue.
func TestAwaitWritable(t *testing.T) {
	p := newPoller(t)
	o, client := take(t, p, nil)
	sent, b := 0, bytes.Repeat([]byte("x"), 1<<20)
	for {
		rest, err := o.Write(b)
		if err != nil {
			t.Fatal(err)
		}
		sent += len(b) - len(rest)
		if len(rest) > 0 {
			break
		}
	}
	if n, ok := o.Unacked(); !ok || n == 0 {
		t.Errorf("%d bytes are unacked, %v", n, ok)
	}
	if err := o.AwaitWritable(true); err != nil {
		t.Fatal(err)
	}
	select {
	case <-o.writable: // from the time before the socket was full
	default:
	}
	go io.CopyN(io.Discard, client, int64(sent))
	receive(t, o.writable, "readiness")
	if err := o.AwaitWritable(false); err != nil {
		t.Fatal(err)
	}
	o.CloseWrite()
	client.Close()
	receive(t, o.end, "the end")
}

// When a slot has a new owner, what epoll had reported of the old one, data or the
// end, does not reach the new one.
func TestSlotIsReused(t *testing.T) {
	p := newPoller(t)
	old, client := take(t, p, nil)
	slot := old.slot
	client.Close()
	receive(t, old.end, "the end")
	stale := []unix.EpollEvent{{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR, Fd: slot}}
	p.handle(stale, new(reactions)) // while the slot has no owner

	o, client := take(t, p, nil)
	if o.slot != slot {
		t.Fatalf("slot %d, want %d again", o.slot, slot)
	}
	for range 100 {
		p.handle(stale, new(reactions))
		io.WriteString(client, "x")
		if got := receive(t, o.in, "what was written"); got != "x" {
			t.Fatalf("got %q", got)
		}
	}
	select {
	case err := <-o.end:
		t.Errorf("events of the slot's former owner ended the connection: %v", err)
	default:
	}
	client.Close()
	receive(t, o.end, "the end")
	if len(p.slots) != 1 {
		t.Errorf("%d slots for one connection at a time", len(p.slots))
	}
}

// What is not a plain socket is not pollable, and a connection that is never started
// can be closed.
func TestTake(t *testing.T) {
	p := newPoller(t)
	server, client := pair(t)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Pollable(a) || Pollable(struct{ *net.TCPConn }{server}) { // a wrapper may count or limit
		t.Error("what is not a plain socket is pollable")
	}
	o := new(owner)
	if !Pollable(server) || !p.Take(&o.Conn, server, o) {
		t.Fatal("a TCP connection is not taken")
	}
	o.Conn.Close()
	client.SetReadDeadline(time.Now().Add(wait))
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client reads %v", err)
	}
}
