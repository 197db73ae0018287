package hardening_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// CVE-2023-31125: names of JavaScript's prototype, and an empty name, are refused
// as transports, for requests and upgrades.
func TestTransportNames(t *testing.T) {
	n := start(t)
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for _, name := range []string{"", "__proto__", "constructor", "prototype", "toString", "polling%00", "POLLING", "%ff"} {
		path := "/socket.io/?EIO=4&transport=" + name
		if status, body := n.do("GET", path, nil); status != http.StatusBadRequest || body != `{"code":0,"message":"Transport unknown"}` {
			t.Errorf("%q: %d %s", name, status, body)
		}
		if status, body := n.do("GET", path, nil, upgrade...); status != http.StatusBadRequest || body != "Transport unknown" {
			t.Errorf("%q over an upgrade: %d %s", name, status, body)
		}
	}
	if got := n.SocketIO().Engine().Count(); got != 0 {
		t.Errorf("%d sessions", got)
	}
	n.user("ana").alive()
}

// Packets with nothing after their header, which make other servers crash, do
// not affect other clients.
func TestTruncatedPackets(t *testing.T) {
	n := start(t)
	bystander := n.user("bystander")
	for _, p := range []string{"42", "421", "4212", "43", "431", "430", "43123456789", "451-", "4510-", "45", "461-", "461-1", "40", "41", "44", "4", "47", "42/", "42/,", "42/,1", "40/", "43/,1"} {
		c := n.user("ana")
		if c.send(p) == nil {
			c.send(`42["ping"]`) // the connection may be open still
		}
		c.conn.Close()
		c = n.open() // and before CONNECT
		c.send(p)
		c.conn.Close()
		if s := n.session(); p != "40" {
			n.do("POST", s, strings.NewReader("40"))
			n.do("POST", s, strings.NewReader(p))
		}
		bystander.alive()
		n.user("next").alive()
	}
}

// CVE-2020-36049: digits are parsed in linear time. Two million take milliseconds;
// in quadratic time they would take an hour. So the client's timeout of a few seconds
// fails only quadratic code, on slow machines too.
func TestDigitsInLinearTime(t *testing.T) {
	const digits = 2_000_000
	n := start(t, fmt.Sprint("WS_MAX_HTTP_BUFFER_SIZE=", digits+100))
	for form, refused := range map[string]bool{
		`42%s["x"]`: true, `45%s-["x"]`: true, `43%s[]`: true, `40/%s,`: false, `42["ping",%s]`: false,
	} {
		c := n.user("ana")
		began := time.Now()
		c.send(fmt.Sprintf(form, strings.Repeat("1", digits)), `421["ping"]`)
		for {
			p, err := c.read()
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Fatalf("%s: no answer in %v", form, time.Since(began))
			}
			if answered := strings.HasPrefix(p, "431["); answered || err != nil {
				if answered == refused {
					t.Errorf("%s: refused %v (%v), want %v", form, !answered, err, refused)
				}
				break
			}
		}
		t.Logf("%s: %v", form, time.Since(began))
		c.conn.Close()
	}
	n.user("ana").alive()
}

// A payload nested 5,000 deep crashes Node when it is forwarded. Here up to 512
// levels are forwarded; deeper, the event is invalid, in whichever position the
// argument is, and the connection stays open.
func TestDeepNesting(t *testing.T) {
	n := start(t, "WS_MAX_ANONYMOUS_BYTES=0")
	member := n.user("member", "r")
	c := n.user("ana", "r")
	for _, depth := range []int{500, 3_000, 10_000, 400_000} {
		for open, end := range map[string]string{"[": "]", `{"a":`: "}"} {
			if len(open+end)*depth > 900_000 {
				continue
			}
			deep := strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth)
			for _, args := range []string{`"publish-update",{"roomId":"r","type":"x","payload":%s}`, `"ping",%s`, `"authenticate",%s`, `"nobody-handles-this",%s`} {
				c.send(fmt.Sprintf(`421[`+args+`]`, deep), `429["ping"]`)
				answer, passed := "", false
				for p := ""; !strings.HasPrefix(p, "439["); {
					p = c.next()
					passed = passed || strings.HasPrefix(p, `42["update"`) && strings.Contains(p, `"payload":`+deep+`,`)
					if strings.HasPrefix(p, "431[") {
						answer = p
					}
				}
				refused := strings.Contains(answer, `"invalid","message":"arguments must be nested 512 levels deep at most"`)
				if refused != (depth > 512) {
					t.Errorf("%d deep: %.100s", depth, answer)
				}
				if published := strings.Contains(args, "payload") && depth < 512; passed != published {
					t.Errorf("%d deep: passed on: %v", depth, passed)
				}
				if passed {
					if got := member.until(`42["update"`); !strings.Contains(got, deep) {
						t.Errorf("%d deep: the member got %.100s", depth, got)
					}
				}
			}
			c.send(`43123[` + deep + `]`) // an unsolicited acknowledgement
			c.alive()
			if !strings.HasPrefix(deep, "{") {
				continue
			}
			stranger := n.open()
			for _, auth := range []string{deep, `{"token":"` + n.token("ben") + `","deep":` + deep + `}`} {
				stranger.send(`40` + auth)
				p := stranger.next()
				if refused := strings.HasPrefix(p, `44{"message":"auth must be nested 512 levels deep at most"`); refused != (depth > 512) {
					t.Errorf("CONNECT %d deep: %.100s", depth, p)
				}
				if depth < 512 {
					break // it is connected
				}
			}
			stranger.conn.Close()
		}
	}
	// Invalid JSON ends the connection, as on Node, without large allocations.
	for _, unit := range []string{"[", `{"a":`, `[1,`, `{"a":1,"b":[`} {
		c, frame := n.user("ana"), clientFrame(ws.OpText, true, `42["ping",`+strings.Repeat(unit, 900_000/len(unit)))
		grown := allocated(func() {
			c.conn.Write(frame)
			c.ends()
		})
		if grown > 4*mb {
			t.Errorf("%s: %d bytes were allocated", unit, grown)
		}
	}
	member.without(`42["update"`)
	member.alive()
}

// Valid but unusual JSON passes through unchanged, byte for byte; invalid JSON
// ends the connection.
func TestUnusualJSON(t *testing.T) {
	n := start(t)
	member := n.user("member", "r")
	c := n.user("ana", "r")
	for _, payload := range []string{
		`{"a":1,"a":2}`, `{"roomId":"x","roomId":"y"}`, `"\ud800"`, `"\udc00\ud800"`, `"\u0000"`, "\"\u2028\"",
		strings.Repeat("9", 400), "-" + strings.Repeat("9", 400) + ".5e400", `1e400`, `-0`, `1E+2`, `0.10`,
		`{"__proto__":{"x":1},"constructor":1}`, `{"":{"":[]}}`, `[ 1 , 2 ]`, `"<script>&"`,
	} {
		c.send(`42["publish-update",{"roomId":"r","type":"x","payload":` + payload + `}]`)
		if got := member.until(`42["update"`); !strings.Contains(got, `"payload":`+payload+`,"from"`) {
			t.Errorf("%.50s became %.200s", payload, got)
		}
	}
	c.alive()
	for _, payload := range []string{`NaN`, `Infinity`, `-Infinity`, `undefined`, `01`, `1.`, `.5`, `+1`, `0x1`, `'a'`, `[1,]`, `{a:1}`, `"\x"`, "\"\n\"", `{"a":1`, `//`} {
		c := n.user("ana")
		c.send(`42["publish-update",{"roomId":"r","type":"x","payload":` + payload + `}]`)
		c.ends()
	}
	// Duplicate keys in the event itself: there is one answer, whichever key counts.
	if a := c.ask(`"publish-update",{"roomId":"nowhere","roomId":"r","type":1,"type":"x"}`); !strings.Contains(a, `"success":`) {
		t.Errorf("answer %s", a)
	}
	member.alive()
}

// CVE-2022-2421: a placeholder that refers to no attachment ends the connection.
func TestPlaceholders(t *testing.T) {
	n := start(t)
	member := n.user("member", "r")
	for _, num := range []string{`"splice"`, `"length"`, `-1`, `1.5`, `999`, `null`, `true`, `[]`, `{}`, `1e99`, `18446744073709551616`} {
		c := n.user("ana", "r")
		c.send(`451-["publish-update",{"roomId":"r","type":"x","payload":{"_placeholder":true,"num":` + num + `}}]`)
		c.ends()
	}
	for _, packet := range []string{
		`4511-["x"]`, `45999999999-["x"]`, `45-1-["x"]`, `451.5-["x"]`, `45["x"]`,
	} {
		c := n.user("ana", "r")
		c.send(packet)
		c.ends()
	}

	// Of a packet that announces none the event is invalid.
	c := n.user("ana", "r")
	c.send(`421["publish-update",{"roomId":"r","type":"x","payload":{"_placeholder":true,"num":0}}]`)
	if got := c.until(`431[`); !strings.Contains(got, `"code":"invalid"`) {
		t.Errorf("got %s", got)
	}
	c.alive()
	member.without(`42["update"`)

	// A placeholder inside another: the outer one is replaced, as on Node.
	c.send(`452-["publish-update",{"roomId":"r","type":"x","payload":[{"_placeholder":true,"num":1,"x":{"_placeholder":true,"num":0}},2]}]`)
	c.conn.Write(append(binaryFrame("zero"), binaryFrame("one")...))
	if got := member.until(`451-["update"`); !strings.Contains(got, `"payload":[{"_placeholder":true,"num":0},2],`) {
		t.Errorf("got %s", got)
	}
	if got := member.next(); got != "one" {
		t.Errorf("attachment %q", got)
	}
}

func binaryFrame(data string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame([]byte(data))))
}

// CVE-2026-48802: unsolicited pongs start no additional heartbeats.
func TestUnsolicitedPongs(t *testing.T) {
	const interval = 100 * time.Millisecond
	n := start(t, fmt.Sprintf("WS_PING_INTERVAL=%d", interval.Milliseconds()), "WS_PING_TIMEOUT=60000")
	check := n.unchanged()
	began := time.Now()
	c := n.open()
	flood := bytes.Repeat(clientFrame(ws.OpText, true, "3"), 10_000)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 100 {
			c.conn.Write(flood)
		}
	}()
	<-sent
	const pings = 20
	for range pings {
		if p, err := c.packet(); err != nil || p != "2" {
			t.Fatalf("got %q, %v", p, err)
		}
		c.send("3")
	}
	if most := int(time.Since(began)/interval) + 1; pings > most {
		t.Errorf("%d pings in %v", pings, time.Since(began))
	}
	c.conn.Close()
	check()
}
