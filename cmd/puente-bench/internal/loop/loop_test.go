package loop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/server/waittest"
)

const waitTimeout = 30 * time.Second // no correct result depends on its value

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// both runs f with each implementation of Loop and a server that calls serve for every connection.
func both(t *testing.T, serve func(net.Conn), f func(*testing.T, Loop)) {
	makers := map[string]func([]string) (Loop, error){
		"plain":    newPlain,
		"portable": func(addrs []string) (Loop, error) { return newPortable(addrs, nil), nil },
	}
	for name, make := range makers {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					wg.Go(func() { defer c.Close(); serve(c) })
				}
			})
			l, err := make([]string{ln.Addr().String()})
			if err != nil {
				t.Fatal(err)
			}
			f(t, l)
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			ln.Close()
			wg.Wait()
		})
	}
}

type recorder struct {
	conn Conn
	send []byte
	got  []byte
	err  error
}

func (r *recorder) OnOpen()           { r.conn.Write(r.send) }
func (r *recorder) OnData(b []byte)   { r.got = append(r.got, b...) }
func (r *recorder) OnClose(err error) { r.err = err }

func TestEchoLargerThanAnySocketBuffer(t *testing.T) {
	both(t, func(c net.Conn) { io.Copy(c, c) }, func(t *testing.T, l Loop) {
		r := &recorder{send: bytes.Repeat([]byte("0123456789abcdef"), 1<<19)}
		r.conn = l.Dial(0, r)
		if err := l.Run(context.Background(), waitTimeout, func() bool { return len(r.got) >= len(r.send) }); err != nil {
			t.Fatalf("after %d bytes: %v", len(r.got), err)
		}
		if !bytes.Equal(r.got, r.send) {
			t.Error("the echo differs from the data sent")
		}
	})
}

func TestCloseByServerIsReported(t *testing.T) {
	both(t, func(c net.Conn) {}, func(t *testing.T, l Loop) {
		r := &recorder{}
		r.conn = l.Dial(0, r)
		if err := l.Run(context.Background(), waitTimeout, func() bool { return r.err != nil }); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(r.err, ErrEOF) {
			t.Errorf("OnClose got %v, want ErrEOF", r.err)
		}
	})
}

func TestCloseByUsIsSilent(t *testing.T) {
	gone := make(chan struct{}, 1)
	serve := func(c net.Conn) {
		io.CopyN(c, c, 1)
		io.Copy(io.Discard, c)
		gone <- struct{}{}
	}
	both(t, serve, func(t *testing.T, l Loop) {
		r := &recorder{send: []byte("x")}
		r.conn = l.Dial(0, r)
		if err := l.Run(context.Background(), waitTimeout, func() bool { return len(r.got) == 1 }); err != nil {
			t.Fatal(err)
		}
		r.conn.Close()
		stop := l.Tick(time.Millisecond, func(time.Time) {}) // wakes Run, so that it calls done
		defer stop()
		if err := l.Run(context.Background(), waitTimeout, func() bool { return len(gone) == 1 }); err != nil {
			t.Fatal(err)
		}
		<-gone
		if r.err != nil {
			t.Errorf("OnClose got %v after Close", r.err)
		}
	})
}

func TestRefusedConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	l, err := New([]string{addr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := &recorder{}
	r.conn = l.Dial(0, r)
	if err := l.Run(context.Background(), waitTimeout, func() bool { return r.err != nil }); err != nil {
		t.Fatal(err)
	}
}

func TestTicksAreNominal(t *testing.T) {
	both(t, func(net.Conn) {}, func(t *testing.T, l Loop) {
		var times []time.Time
		stop := l.Tick(time.Millisecond, func(at time.Time) { times = append(times, at) })
		if err := l.Run(context.Background(), waitTimeout, func() bool { return len(times) >= 20 }); err != nil {
			t.Fatal(err)
		}
		stop()
		for i := 1; i < len(times); i++ {
			if d := times[i].Sub(times[i-1]); d != time.Millisecond {
				t.Fatalf("tick %d came %v after the one before, want exactly 1ms", i, d)
			}
		}
	})
}

func TestRunEndsInTime(t *testing.T) {
	both(t, func(net.Conn) {}, func(t *testing.T, l Loop) {
		never := func() bool { return false }
		if err := l.Run(context.Background(), time.Millisecond, never); !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := l.Run(ctx, waitTimeout, never); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}
