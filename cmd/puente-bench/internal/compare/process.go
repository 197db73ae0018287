package compare

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// process is a running server or Redis.
type process struct {
	cmd  *exec.Cmd
	addr string // host:port
	log  *tail
	gone chan struct{} // closed when it has exited
}

// launch starts the command for a free loopback port, and waits until it accepts connections.
func launch(title string, command func(port string) *exec.Cmd) (*process, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	ln.Close()
	p := &process{cmd: command(port), addr: addr, log: &tail{}, gone: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // joined by stop
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return p, nil
		}
		select {
		case <-p.gone:
			return nil, fmt.Errorf("%w: %s exited: %s", ErrStart, title, p.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
	p.stop()
	return nil, fmt.Errorf("%w: %s accepted no connection in %v: %s", ErrStart, title, startLimit, p.log)
}

// stop kills the process: a graceful stop would save nothing.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// exited reports whether the process has ended by itself.
func (p *process) exited() bool {
	select {
	case <-p.gone:
		return true
	case <-time.After(200 * time.Millisecond): // its connections may have closed shortly before it exits
		return false
	}
}

// tail is a writer that keeps the last 4 KiB.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - 4096; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
