package engineio

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// serveHTTP serves with NewHTTPServer, changed by change, and returns the address.
func serveHTTP(t *testing.T, h http.Handler, change func(*http.Server)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs := NewHTTPServer(h)
	if change != nil {
		change(hs)
	}
	ran := make(chan struct{})
	go func() { hs.Serve(listener); close(ran) }()
	t.Cleanup(func() { hs.Close(); <-ran })
	return listener.Addr().String()
}

// The kernel buffers little of an answer that the client does not read, and writing it
// ends with the deadline.
func TestUnreadAnswersAreBounded(t *testing.T) {
	const most = 1 << 20 // without the limit it is some 4 MB
	took := make(chan int, 1)
	addr := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for {
			m, err := w.Write(make([]byte, 32<<10))
			if n += m; err != nil || n > 4*most {
				took <- n
				return
			}
		}
	}), func(hs *http.Server) { hs.WriteTimeout = time.Second })
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if n := <-took; !limitsUnsent {
		t.Skip("not on this system")
	} else if n > most {
		t.Errorf("%d bytes were taken of an answer that nobody reads", n)
	}
}

// The end of a body that is too large does not come. The handler stops reading, and
// net/http, which then reads on for the end, has a deadline too.
func TestPollingOversizedBodyThatDoesNotEnd(t *testing.T) {
	e := serve(t, Options{MaxHTTPBufferSize: 1000, BodyTimeout: 50 * time.Millisecond})
	url, _ := open(t, e)
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(engineiotest.Wait))
	fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n%s\r\n", path, strings.Repeat("4", 2000))
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 413 ") {
		t.Errorf("%.40q %v", answer, err)
	}
}

// Over HTTP/2 WriteTimeout ends even a stream that is only waiting. A poll that waits for
// longer than that is answered nevertheless.
func TestLongPollOverHTTP2(t *testing.T) {
	t.Parallel() // it waits
	sessions := make(chan *recorder, 1)
	srv := New(Options{PingInterval: 6 * time.Second}, accepting(sessions))
	defer shut(t, srv)
	hs := httptest.NewUnstartedServer(srv)
	hs.Config, hs.EnableHTTP2 = NewHTTPServer(srv), true
	hs.Config.ReadTimeout, hs.Config.WriteTimeout = 4*time.Second, 4*time.Second
	hs.StartTLS()
	defer hs.Close()
	client := hs.Client()
	get := func(query string) (string, error) {
		res, err := client.Get(hs.URL + "/engine.io/?EIO=4&transport=polling" + query)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		if res.ProtoMajor != 2 {
			t.Errorf("over %s", res.Proto)
		}
		b, err := io.ReadAll(res.Body)
		return string(b), err
	}
	if _, err := get(""); err != nil {
		t.Fatal(err)
	}
	r := <-sessions
	if ping, err := get("&sid=" + r.session.ID()); ping != "2" || err != nil {
		t.Errorf("%q, %v", ping, err)
	}
}
