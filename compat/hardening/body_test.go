package hardening_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const mb = 1 << 20

// CVE-2020-36048: of a body of 200 MB, chunked or with a Content-Length, the
// server reads and allocates a fraction, and ends only the sender's session.
func TestHugeBodies(t *testing.T) {
	n := start(t)
	other := n.session()
	for _, path := range []string{polling, "/api/ws/updates", "/nowhere"} {
		for _, chunked := range []bool{false, true} {
			session := path == polling
			if session {
				path = n.session()
			}
			var sent int
			var status string
			got := allocated(func() { sent, status = n.flood(path, chunked, 200*mb) })
			t.Logf("%.20s, chunked %v: %d bytes sent, %d allocated, %q", path, chunked, sent, got, status)
			// Bytes in kernel buffers count as sent.
			if sent > 20*mb {
				t.Errorf("%s, chunked %v: %d bytes were accepted", path, chunked, sent)
			}
			if got > 8*mb {
				t.Errorf("%s, chunked %v: %d bytes were allocated", path, chunked, got)
			}
			if want := "413"; path != "/nowhere" && status != "" && status != want {
				t.Errorf("%s, chunked %v: status %s, want %s", path, chunked, status, want)
			}
			if session {
				if status, body := n.do("GET", path, nil); status != 400 || body != `{"code":1,"message":"Session ID unknown"}` {
					t.Errorf("chunked %v: the next poll: %d %s", chunked, status, body)
				}
				path = polling
			}
		}
	}
	n.lives(other)
}

// flood sends a body until the server closes the connection. It returns the
// bytes sent and the status, which is "" if a reset arrived before the response.
func (n *node) flood(path string, chunked bool, size int) (sent int, status string) {
	conn := n.dial()
	length := fmt.Sprintf("Content-Length: %d", size)
	block := bytes.Repeat([]byte("4"), 64<<10)
	if chunked {
		length = "Transfer-Encoding: chunked"
		block = fmt.Appendf(nil, "%x\r\n%s\r\n", len(block), block)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n", path, apiKey, length)
	answered := make(chan string, 1)
	go func() {
		var s string
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			res.Body.Close()
			s = fmt.Sprint(res.StatusCode)
		}
		answered <- s
	}()
	for sent < size {
		w, err := conn.Write(block)
		sent += w
		if err != nil {
			break
		}
	}
	conn.Close()
	return sent, <-answered
}

// A chunked body that is too large, or that breaks off, is not delivered in part.
func TestChunkedBodies(t *testing.T) {
	n := start(t, "WS_MAX_HTTP_BUFFER_SIZE=1000")
	member := n.user("ana", "r")
	const head, tail = `{"roomId":"r","type":"x","payload":"`, `"}`
	payload := func(size int) string { return strings.Repeat("x", size-len(head+tail)) }
	update := func(size int) string { return head + payload(size) + tail }
	post := func(path, body string, whole bool) string {
		conn := n.dial()
		defer conn.Close()
		end := "0\r\n\r\n"
		if !whole {
			end = ""
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%s", path, apiKey, len(body), body, end)
		conn.CloseWrite()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return ""
		}
		res.Body.Close()
		return fmt.Sprint(res.StatusCode)
	}
	if status := post("/api/ws/updates", update(1001), true); status != "413" {
		t.Errorf("over the limit: %s", status)
	}
	if status := post("/api/ws/updates", update(500), false); status == "200" {
		t.Error("a body that breaks off was accepted")
	}
	if status := post("/api/ws/updates", update(1000), true); status != "200" {
		t.Errorf("at the limit: %s", status)
	}
	// Only the complete body was published.
	if got := member.until(`42["update"`); !strings.Contains(got, `"payload":"`+payload(1000)+`"`) {
		t.Errorf("got %.100s", got)
	}
	ben := n.session()
	n.do("POST", ben, strings.NewReader(`40{"token":"`+n.token("ben")+`"}`))
	event := `42["publish-update",` + update(300) + `]`
	if status := post(ben, event+strings.Repeat(" ", 1001-len(event)), true); status != "413" {
		t.Errorf("a packet over the limit: %s", status)
	}
	member.without(`42["update"`)
}

// A gzip body of 20 MB is not inflated: it costs only its compressed size.
func TestCompressedBodies(t *testing.T) {
	n := start(t)
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for range 20 {
		w.Write(bytes.Repeat([]byte("4"), mb))
	}
	w.Close()
	if bomb.Len() > 100_000 {
		t.Fatalf("the bomb has %d bytes", bomb.Len())
	}
	for _, path := range []string{n.session(), "/api/ws/updates"} {
		got := allocated(func() {
			status, body := n.do("POST", path, bytes.NewReader(bomb.Bytes()), "Content-Encoding: gzip", "Authorization: Bearer "+apiKey)
			if status < 400 || status > 499 {
				t.Errorf("%s: %d %s", path, status, body)
			}
		})
		if got > 8*mb {
			t.Errorf("%s: %d bytes were allocated", path, got)
		}
	}
	n.user("ana").alive()
}

// The server never negotiates permessage-deflate, and closes a connection that
// sends a compressed frame.
func TestCompressionIsNotNegotiated(t *testing.T) {
	n := start(t)
	conn := n.dial()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%sSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n", webSocket, upgradeLines)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("upgrade: %v, %v", res, err)
	}
	if got := res.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("extensions %q", got)
	}
	conn.Write([]byte("\xc1\x80\x00\x00\x00\x00"))
	var rest bytes.Buffer
	rest.ReadFrom(r)
	if !bytes.HasPrefix(rest.Bytes()[len(rest.Bytes())-4:], []byte{0x88, 0x02, 0x03, 0xea}) {
		t.Errorf("closed with %x", rest.Bytes())
	}
	n.user("ana").alive()
}
