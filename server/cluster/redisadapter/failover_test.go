package redisadapter_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// ledger records the outcomes of numbered broadcasts.
type ledger struct {
	mu       sync.Mutex
	sent     int
	open     int
	accepted map[int]bool
	refused  int
	wrong    error
}

// load broadcasts from one node to the other until stop is called. stop waits until the
// outcome of every broadcast is known.
func (p *two) load(t *testing.T, from int) (l *ledger, stop func()) {
	l = &ledger{accepted: make(map[int]bool)}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
			l.mu.Lock()
			l.sent++
			n := l.sent
			l.open++
			l.mu.Unlock()
			resolved := func(err error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.open--
				switch {
				case err == nil:
					l.accepted[n] = true
				case errors.Is(err, adapter.ErrAway):
					l.refused++
				case errors.Is(err, adapter.ErrUnavailable):
					l.refused++
				default:
					l.wrong = err
				}
			}
			flags := adapter.Flags{Accepted: adapter.OnAcceptance(resolved)}
			if err := p.nodes[from].Adapter.Broadcast(t.Context(), event(`["load",%d]`, n), roomR, flags); err != nil {
				resolved(err)
			}
		}
	}()
	return l, func() {
		close(done)
		<-ended
		adaptertest.Eventually(t, "all outcomes are known", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.open == 0 })
	}
}

// lost returns the numbers that were accepted and have not come.
func (l *ledger) lost(t *testing.T, s *adaptertest.Socket) (lost []int) {
	t.Helper()
	got, last := make(map[int]bool), 0
	for _, r := range s.Received() {
		var n int
		if _, err := fmt.Sscanf(r.Data, `["load",%d]`, &n); err == nil {
			if n <= last {
				t.Errorf("%d came after %d", n, last)
			}
			got[n], last = true, n
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.accepted {
		if !got[n] {
			lost = append(lost, n)
		}
	}
	if l.wrong != nil {
		t.Errorf("a broadcast ended with %v", l.wrong)
	}
	t.Logf("of %d broadcasts %d were accepted, %d refused, %d came", l.sent, len(l.accepted), l.refused, len(got))
	return lost
}

// A planned change of masters cuts no connection, and the old master goes on as if
// nothing had happened, for seconds. Nothing that is accepted meanwhile is lost.
func TestPlannedFailoverLosesNothing(t *testing.T) {
	t.Parallel()
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts.Prefix = "planned"
			s := redistest.StartSentinel(t, "main")
			opts.URL = s.URL()
			p := startTwo(t, opts)
			socket := p.nodes[0].Connect("back", "r")
			p.works(t, "the start")
			adaptertest.Eventually(t, "the way back works", func() bool {
				p.nodes[1].Adapter.Broadcast(t.Context(), event(`["e"]`), roomR, adapter.Flags{})
				return socket.Len() > 0
			})
			there, stopThere := p.load(t, 0)
			back, stopBack := p.load(t, 1)
			accepted := func() int { there.mu.Lock(); defer there.mu.Unlock(); return len(there.accepted) }
			adaptertest.Eventually(t, "messages are accepted", func() bool { return accepted() > 100 })
			s.HandOver()
			replica := s.Replica.Client()
			defer replica.Close()
			adaptertest.Eventually(t, "both nodes are at the new master", func() bool {
				list, err := replica.PubSubNumSub(t.Context(), "planned-request#/#").Result()
				if opts.Mode == redisadapter.Sharded {
					list, err = replica.PubSubShardNumSub(t.Context(), "planned#/#").Result()
				}
				return err == nil && list["planned-request#/#"]+list["planned#/#"] == 2
			})
			before := accepted()
			adaptertest.Eventually(t, "messages are accepted again", func() bool { return accepted() > before+100 })
			stopThere()
			stopBack()
			p.works(t, "the change of masters")
			if lost := there.lost(t, p.socket); len(lost) > 0 {
				t.Errorf("%d accepted messages are lost: %v", len(lost), lost)
			}
			if lost := back.lost(t, socket); len(lost) > 0 {
				t.Errorf("%d accepted messages back are lost: %v", len(lost), lost)
			}
			for i, c := range p.clusters {
				if n := c.Stats().Gaps; n > 0 {
					t.Errorf("node %d counts %d gaps", i, n)
				}
			}
		})
	}
}

// pointer stands for a DNS name or a proxy in front of Redis: new connections go to the
// server that it points to, existing ones stay.
type pointer struct {
	net.Listener

	mu    sync.Mutex
	to    string
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func startPointer(t *testing.T, to string) *pointer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pointer{Listener: l, to: to, conns: make(map[net.Conn]bool)}
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			to := p.to
			p.mu.Unlock()
			server, err := net.Dial("tcp", to)
			if err != nil {
				conn.Close()
				continue
			}
			p.mu.Lock()
			p.conns[conn], p.conns[server] = true, true
			p.mu.Unlock()
			p.wg.Go(func() { io.Copy(server, conn); server.Close() })
			p.wg.Go(func() { io.Copy(conn, server); conn.Close() })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// cut ends all connections.
func (p *pointer) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *pointer) point(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
}

// A replica is promoted by hand, and the address of Redis now leads to it. Even if no
// connection, or only some connections, are cut, both nodes follow, together.
func TestPromotedReplicaIsFollowed(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]string{"none is cut": "", "those that publish are cut": "normal", "those that subscribe are cut": "pubsub"} {
		t.Run(name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, master *redistest.Server, opts redisadapter.Options) {
				master.Up()
				replica := redistest.Start(t)
				replica.Follow(master)
				pointer := startPointer(t, master.Addr())
				opts.URL = "redis://" + pointer.Addr().String()
				var mu sync.Mutex
				var reasons []string
				opts.Hooks.Health = func(h redisadapter.Health) {
					mu.Lock()
					defer mu.Unlock()
					if h.Degraded {
						reasons = append(reasons, h.Reason)
					}
				}
				p := startTwo(t, opts)
				p.works(t, "the start")
				mu.Lock()
				reasons = nil
				mu.Unlock()
				load, stop := p.load(t, 0)
				replica.Do("REPLICAOF", "NO", "ONE")
				pointer.point(replica.Addr())
				if cut != "" {
					master.Do("CLIENT", "KILL", "TYPE", cut)
				}
				adaptertest.Eventually(t, "nobody is at the old master", func() bool {
					client := master.Client()
					defer client.Close()
					list, err := client.ClientList(t.Context()).Result()
					return err == nil && strings.Count(list, "\n") == 1
				})
				master.Pause() // so that a node that still uses it fails the test
				defer master.Resume()
				p.works(t, "the promotion")
				stop()
				mu.Lock()
				defer mu.Unlock()
				if len(reasons) == 0 {
					t.Error("the health was never degraded")
				}
				t.Logf("health: %q; lost %d", reasons, len(load.lost(t, p.socket)))
			})
		})
	}
}

// The master becomes a replica while both nodes are connected to it: it accepts nothing,
// the health of both nodes says so, and when it is a master again they use it.
func TestMasterBecomesReplica(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		other := redistest.Start(t)
		p := startTwo(t, opts)
		p.works(t, "the start")
		server.Follow(other)
		adaptertest.Eventually(t, "both say why", func() bool {
			for _, c := range p.clusters {
				if h := c.Health(); !h.Degraded || !strings.Contains(h.Reason, "replica") {
					return false
				}
			}
			return true
		})
		load, stop := p.load(t, 0)
		time.Sleep(300 * time.Millisecond)
		stop()
		if len(load.accepted) > 0 {
			t.Errorf("%d messages were accepted by a replica", len(load.accepted))
		}
		server.Do("REPLICAOF", "NO", "ONE")
		p.works(t, "the return of the master")
	})
}

// A replica is promoted but the master is not demoted, and only the first node's address
// leads to the new master. Without Sentinel no node can know which master is right. The
// health of both nodes says that they have lost each other, all the time, until they
// use the same master again or presence says that the other node is gone. As long as both
// say so, no message is refused.
func TestOneNodeIsRepointed(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]bool{"its connections are cut": true, "none is cut": false} {
		t.Run(name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, _ *redistest.Server, opts redisadapter.Options) {
				master, replica := redistest.Start(t, "--repl-diskless-sync-delay", "0"), redistest.Start(t)
				replica.Follow(master)
				pointers := [2]*pointer{startPointer(t, master.Addr()), startPointer(t, master.Addr())}
				var peers atomic.Int64
				peers.Store(1)
				opts.Peers = func() int { return int(peers.Load()) }
				var mu sync.Mutex
				var said []redisadapter.Health
				p := startTwo(t, opts, func(i int, o *redisadapter.Options) {
					o.URL = "redis://" + pointers[i].Addr().String()
					if i == 0 {
						o.Hooks.Health = func(h redisadapter.Health) {
							mu.Lock()
							defer mu.Unlock()
							said = append(said, h)
						}
					}
				})
				alone := func(h redisadapter.Health) bool {
					return h.Connected && strings.HasPrefix(h.Reason, "no other node subscribes at this Redis server")
				}
				both := func() bool { return alone(p.clusters[0].Health()) && alone(p.clusters[1].Health()) }
				for range 2 {
					p.works(t, "the start")
					for i := range p.nodes { // with the proof of a message that is accepted a node counts the others
						adaptertest.Eventually(t, "a message is accepted", func() bool { return p.saysFrom(t, i, "r", "x") == nil })
					}
					mu.Lock()
					said = nil
					mu.Unlock()
					replica.Do("REPLICAOF", "NO", "ONE")
					pointers[0].point(replica.Addr())
					if cut {
						pointers[0].cut()
					}
					adaptertest.Eventually(t, "both say that they are alone", both)
					mu.Lock()
					waited := false
					for _, h := range said { // the first fault may be over before the node has noticed the other server
						if waited && (!h.Degraded || !alone(h) && h.Connected) {
							t.Errorf("before that health said %+v", h)
						}
						waited = waited || strings.HasPrefix(h.Reason, "the other nodes have not followed")
					}
					if !waited {
						t.Errorf("the node did not wait for the other: %+v", said)
					}
					mu.Unlock()
					for range 20 {
						if err := p.says(t, "r", "x"); err != nil {
							t.Errorf("a message was refused: %v", err)
						}
						if !both() {
							t.Fatalf("health says %+v and %+v", p.clusters[0].Health(), p.clusters[1].Health())
						}
						time.Sleep(50 * time.Millisecond)
					}
					peers.Store(0)
					adaptertest.Eventually(t, "both are well when they know of nobody", func() bool {
						return p.well() && !alone(p.clusters[0].Health()) && !alone(p.clusters[1].Health())
					})
					peers.Store(1)
					pointers[0].point(master.Addr())
					pointers[0].cut()
					replica.Follow(master)
				}
				p.works(t, "the return")
			})
		})
	}
}
