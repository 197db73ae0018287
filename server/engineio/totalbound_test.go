package engineio

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/puente-io/puente/server/waittest"
)

// slowAnswer is an answer that a connection takes as slowly as it is read.
type slowAnswer struct {
	http.ResponseWriter
	conn net.Conn
}

func (a slowAnswer) Write(b []byte) (int, error)         { return a.conn.Write(b) }
func (a slowAnswer) SetWriteDeadline(at time.Time) error { return a.conn.SetWriteDeadline(at) }
func (a slowAnswer) FlushError() error                   { return nil }

// pollSlowly sends a poll and returns what its answer is read from.
func pollSlowly(srv *Server, sid, more, acceptEncoding string) net.Conn {
	client, server := net.Pipe()
	r := httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling&sid="+sid+more, nil)
	r.Header.Set("Accept-Encoding", acceptEncoding)
	go func() {
		defer server.Close()
		srv.ServeHTTP(slowAnswer{httptest.NewRecorder(), server}, r)
	}()
	return client
}

// Clients that are in the middle of a large message, and take little of it, are closed if
// the queues hold too much. Before this was so, a few of them held all publishers up, for
// as long as they liked.
func TestTotalBoundSeesWhatIsBeingWritten(t *testing.T) {
	const size = 400_000
	for name, open := range map[string]func(*testing.T, *Server, chan *recorder) (*recorder, io.ReadCloser){
		"polling": func(_ *testing.T, srv *Server, sessions chan *recorder) (*recorder, io.ReadCloser) {
			pollOnce(srv, "GET", "", "")
			r := <-sessions
			return r, pollSlowly(srv, r.session.ID(), "", "")
		},
		"JSONP": func(_ *testing.T, srv *Server, sessions chan *recorder) (*recorder, io.ReadCloser) {
			srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling&j=0", nil))
			r := <-sessions
			return r, pollSlowly(srv, r.session.ID(), "&j=0", "")
		},
		"WebSocket": func(t *testing.T, srv *Server, sessions chan *recorder) (*recorder, io.ReadCloser) {
			conn, br := openPipe(t, srv, "")
			if _, err := ws.ReadFrame(br); err != nil {
				t.Fatal(err)
			}
			return <-sessions, struct {
				io.Reader
				io.Closer
			}{br, conn}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{MaxTotalQueueBytes: 1 << 20, PingInterval: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
				var all []*recorder
				over := make(chan struct{})
				var readers sync.WaitGroup
				defer synctest.Wait() // for the polls
				defer readers.Wait()
				defer close(over)
				for range 4 {
					r, reads := open(t, srv, sessions)
					all = append(all, r)
					readers.Go(func() {
						b := make([]byte, pieceSize)
						for err := error(nil); err == nil; _, err = io.ReadFull(reads, b) {
							select {
							case <-time.After(5 * time.Second):
							case <-over:
								reads.Close()
								return
							}
						}
					})
				}
				pollOnce(srv, "GET", "", "")
				good := <-sessions
				for _, r := range all { // each gets a message that no other client gets
					go r.session.Send(TextFrame([]byte(strings.Repeat("x", size))))
				}
				time.Sleep(7 * time.Second)
				synctest.Wait()
				start := time.Now()
				for range 5 {
					go pollOnce(srv, "GET", good.session.ID(), "")
					synctest.Wait()
					good.session.Send(TextFrame(make([]byte, 5000)))
					synctest.Wait()
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("publishers to others waited %v", took)
				}
				if held := srv.backlog.held.Load(); held > 1<<20 {
					t.Errorf("%d bytes are held", held)
				}
				closed := 0
				for _, r := range all {
					if !r.session.Open() {
						closed++
					}
				}
				if closed == 0 || closed == len(all) {
					t.Errorf("%d of %d were closed", closed, len(all))
				}
			})
		})
	}
}

// What answers to clients that do not read keep in memory is what counts: no compressor
// waits for a client, and an answer that is compressed, or the call of a script, counts
// with its own size.
func TestAnswersCountWhatTheyHold(t *testing.T) {
	const size = 300_000
	clients := 50
	if raceEnabled {
		clients = 10
	}
	text := make([]byte, size)
	for i := range text { // three quarters of it remain when it is compressed
		text[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[rand.N(64)]
	}
	for name, more := range map[string]string{"compressed": "", "JSONP": "&j=0"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{PingInterval: time.Hour, SlowTimeout: time.Hour}, func(t *testing.T, srv *Server, sessions chan *recorder) {
				heap := func() int64 {
					runtime.GC()
					runtime.GC() // what pools have
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return int64(m.HeapAlloc)
				}
				defer synctest.Wait() // for the polls
				var all []*Session
				for range clients {
					srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling"+more, nil))
					all = append(all, (<-sessions).session)
				}
				m := NewMessage(TextFrame(text))
				srv.Batch(func(b *Batch) {
					for _, s := range all {
						b.Add(s, m)
					}
				})
				before := heap()
				for _, s := range all {
					encoding := "gzip"
					if more != "" {
						encoding = ""
					}
					conn := pollSlowly(srv, s.ID(), more, encoding)
					defer conn.Close()
					io.ReadFull(conn, make([]byte, 100))
				}
				synctest.Wait()
				held := srv.backlog.held.Load()
				if held < int64(clients*size*7/10) {
					t.Errorf("%d bytes count", held)
				}
				if grown := heap() - before; grown > held+held/2+4<<20 {
					t.Errorf("%d bytes count, and %d are in memory", held, grown)
				}
			})
		})
	}
}

// A client is not slow while the server prepares its answer: compresses it, for which it
// may have to wait for others.
func TestAnswerThatIsPreparedIsNotTheClients(t *testing.T) {
	e := quiet(t, Options{SlowTimeout: time.Hour}, false)
	url, r := open(t, e)
	for range runtime.GOMAXPROCS(0) {
		c := gzipWriters.Get()
		defer gzipWriters.Put(c)
	}
	enqueue(r.session, TextFrame(make([]byte, 2*smallPayload)))
	conn, err := net.Dial("tcp", strings.Split(e.url, "/")[2])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", url[strings.Index(url, "/engine.io/"):])
	waittest.Until(t, "the answer is prepared", func() bool {
		r.session.mu.Lock()
		defer r.session.mu.Unlock()
		r.session.tookAt = -2 * time.Hour
		return r.session.polling.answer != nil
	})
	if left := r.session.patienceLeft(); left <= 0 {
		t.Errorf("the client is slow by %v", -left)
	}
}
