package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
	"github.com/tinylib/msgp/msgp"

	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// fake is a server of just the events of the workloads over WebSocket; fault makes it misbehave.
type fake struct {
	t *testing.T
	// "", "lose" updates, "refuse" publishing, "repeat", "swap" or "change" updates, "hang up" instead of publishing, do not
	// "compress"
	fault string

	mu    sync.Mutex
	rooms map[string]map[*fakeConn]bool
	seen  int
	held  string // an update that is sent after the next

	compressing sync.Mutex
	large       string // the last message that was compressed
	compressed  ws.Frame
}

// compress compresses a message to many once.
func (f *fake) compress(p string) ws.Frame {
	f.compressing.Lock()
	defer f.compressing.Unlock()
	if p != f.large {
		f.large = p
		f.compressed, _ = wsflate.CompressFrame(ws.NewTextFrame([]byte(p)))
	}
	return f.compressed
}

type fakeConn struct {
	mu       sync.Mutex
	nc       interface{ Write([]byte) (int, error) }
	compress func(string) ws.Frame // of large messages, if not nil
	packed   bool
}

func (c *fakeConn) say(parts ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts {
		if b, binary := strings.CutPrefix(p, "\x00"); binary {
			wsutil.WriteServerBinary(rw{c.nc}, []byte(b))
		} else if c.packed && p[0] == '4' {
			wsutil.WriteServerBinary(rw{c.nc}, packed(p[1:]))
		} else if c.compress != nil && len(p) >= 1024 {
			ws.WriteFrame(rw{c.nc}, c.compress(p))
		} else {
			wsutil.WriteServerText(rw{c.nc}, []byte(p))
		}
	}
}

type rw struct {
	w interface{ Write([]byte) (int, error) }
}

func (r rw) Write(b []byte) (int, error) { return r.w.Write(b) }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	extension := wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}
	nc, _, _, err := ws.HTTPUpgrader{Negotiate: extension.Negotiate}.Upgrade(r, w)
	if err != nil {
		return
	}
	defer nc.Close()
	c := &fakeConn{nc: nc}
	if _, accepted := extension.Accepted(); accepted && f.fault != "compress" {
		c.compress = f.compress
	}
	c.say(`0{"sid":"a"}`)
	if q := r.URL.Query(); q.Get("EIO") == "3" && q.Get("token") != "" {
		c.say("40")
	}
	attached := ""
	for {
		p, op, err := wsutil.ReadClientData(nc)
		if err != nil {
			return
		}
		if op == ws.OpBinary && p[0]&0xf0 == 0x80 { // a map
			c.packed = true
			p = []byte("4" + unpacked(p))
		} else if op == ws.OpBinary {
			f.publish(c, attached, "\x00"+string(p))
			continue
		}
		switch s := string(p); {
		case strings.HasPrefix(s, "40"):
			c.say(`40{"sid":"b"}`)
		case s == `42["ping"]`:
			c.say(`42["pong",{"timestamp":"now"}]`)
		case strings.Contains(s, `"join-room"`), strings.Contains(s, `"leave-room"`):
			f.join(c, s)
		case strings.HasPrefix(s, "451-"):
			attached = s
		default:
			if f.fault == "hang up" {
				return
			}
			f.publish(c, s, "")
		}
		f.mu.Lock()
		f.seen++
		f.mu.Unlock()
	}
}

// unpacked returns a MessagePack packet as text.
func unpacked(b []byte) string {
	v, _, _ := msgp.ReadIntfBytes(b)
	m := v.(map[string]any)
	data, _ := json.Marshal(m["data"])
	id := ""
	if m["id"] != nil {
		id = fmt.Sprint(m["id"])
	}
	return fmt.Sprint(m["type"]) + id + string(data)
}

// packed returns a text packet as MessagePack.
func packed(p string) []byte {
	data := strings.TrimLeft(p[1:], "0123456789")
	m := map[string]any{"type": int(p[0] - '0'), "nsp": "/"}
	if id := p[1 : len(p)-len(data)]; id != "" {
		m["id"], _ = strconv.Atoi(id)
	}
	var v any
	json.Unmarshal([]byte(data), &v)
	m["data"] = v
	b, _ := msgp.AppendIntf(nil, m)
	return b
}

// split takes an event packet apart.
func split(s string) (id, room, payload string) {
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "42"), "451-")
	at := strings.IndexByte(digits, '[')
	var args []json.RawMessage
	var arg struct {
		RoomID  string
		Payload json.RawMessage
	}
	json.Unmarshal([]byte(digits[at:]), &args)
	json.Unmarshal(args[1], &arg)
	return digits[:at], arg.RoomID, string(arg.Payload)
}

func (f *fake) join(c *fakeConn, s string) {
	id, room, _ := split(s)
	f.mu.Lock()
	if f.rooms == nil {
		f.rooms = map[string]map[*fakeConn]bool{}
	}
	if f.rooms[room] == nil {
		f.rooms[room] = map[*fakeConn]bool{}
	}
	f.rooms[room][c] = true
	f.mu.Unlock()
	if id != "" {
		c.say("43" + id + `[{"success":true}]`)
	}
}

func (f *fake) publish(c *fakeConn, s, attachment string) {
	id, room, payload := split(s)
	if f.fault == "refuse" {
		c.say("43" + id + `[{"success":false,"error":{"code":"rate_limited"}}]`)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault == "swap" {
		if f.held == "" {
			f.held = payload
			c.say("43" + id + `[{"success":true}]`)
			return
		}
		defer func() { f.held = "" }()
	}
	for member := range f.rooms[room] {
		switch {
		case f.fault == "swap":
			member.say(`42["update",{"payload":`+payload+`}]`, `42["update",{"payload":`+f.held+`}]`)
		case f.fault == "change":
			member.say(`42["update",{"payload":` + strings.ReplaceAll(payload, "pending", "settled") + `}]`)
		case f.fault == "lose" && f.seen%97 == 96:
		case attachment != "":
			member.say(`451-["update",{"payload":`+payload+`}]`, attachment)
		default:
			member.say(`42["update",{"payload":` + payload + `}]`)
			if f.fault == "repeat" && f.seen%97 == 96 {
				member.say(`42["update",{"payload":` + payload + `}]`)
			}
		}
	}
	c.say("43" + id + `[{"success":true}]`)
}

// short has an end for what never comes; only a server that loses updates reaches it.
var short = Timing{Warmup: time.Millisecond, Measure: 250 * time.Millisecond, Settle: time.Millisecond, drain: 30 * time.Second}

func measure(t *testing.T, f *fake, s Spec) (Result, error) {
	t.Helper()
	f.t = t
	pid := 0
	if runtime.GOOS == "linux" {
		pid = os.Getpid()
	}
	var nodes []Node
	for range max(s.Nodes, 1) { // two servers that share their rooms are a cluster
		server := httptest.NewServer(f)
		defer server.Close()
		nodes = append(nodes, Node{server.URL, pid})
	}
	timing := short
	if f.fault == "lose" {
		timing.drain = 100 * time.Millisecond
	}
	return Run(context.Background(), Target{Nodes: nodes, Secret: "secret"}, s, timing, func(string, float64) {})
}

func TestWorkloads(t *testing.T) {
	for _, s := range []Spec{
		{Name: "echo", Kind: Echo, Conns: 3, InFlight: 4},
		{Name: "paced echo", Kind: Echo, Conns: 3, Rate: 500},
		{Name: "publish", Kind: Publish, Conns: 3, InFlight: 2, Sizes: []int{0, 64, 70_000}},
		{Name: "binary", Kind: Publish, Conns: 3, InFlight: 2, Sizes: []int{1, 300}, Binary: true},
		{Name: "fan-out", Kind: Fanout, Conns: 20, InFlight: 2},
		{Name: "paced fan-out", Kind: Fanout, Conns: 20, Rate: 100},
		{Name: "fan-out over two", Kind: Fanout, Conns: 20, InFlight: 2, Nodes: 2},
		{Name: "fan-out of records", Kind: Fanout, Conns: 20, InFlight: 2, Sizes: []int{4096}},
		{Name: "fan-out to some that deflate", Kind: Fanout, Conns: 20, InFlight: 2, Sizes: []int{4096}, Forms: []sio.Form{sio.Text, sio.Deflate}},
		{Name: "packed echo", Kind: Echo, Conns: 3, InFlight: 4, Forms: []sio.Form{sio.Msgpack}},
		{Name: "packed publish", Kind: Publish, Conns: 3, InFlight: 2, Sizes: []int{0, 300}, Forms: []sio.Form{sio.Msgpack}},
		{Name: "fan-out to all forms", Kind: Fanout, Conns: 20, InFlight: 2, Forms: sio.Forms(), Nodes: 2},
		{Name: "fan-out from protocol 3", Kind: Fanout, Conns: 20, InFlight: 2, Forms: []sio.Form{sio.Protocol3, sio.Text}},
		{Name: "rooms", Kind: Rooms, Conns: 20},
		{Name: "connect", Kind: Connect, Conns: 50, InFlight: 4},
	} {
		t.Run(s.Name, func(t *testing.T) {
			r, err := measure(t, &fake{}, s)
			if err != nil {
				t.Fatal(err)
			}
			if r.Messages == 0 || r.PerSecond == 0 || r.Latency.P50 <= 0 || r.Latency.P999 < r.Latency.P50 {
				t.Errorf("%+v", r)
			}
			if s.Kind == Connect && r.Messages != 50 {
				t.Errorf("%d connections counted, 50 were made", r.Messages)
			}
			if runtime.GOOS == "linux" && r.RSS < 1<<20 {
				t.Errorf("RSS %d", r.RSS)
			}
		})
	}
}

func TestIdle(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	for _, s := range []Spec{
		{Kind: Idle, Conns: 30, InFlight: 8},
		{Kind: Idle, Conns: 30, InFlight: 8, Rehearse: true},
		{Kind: Idle, Conns: 30, InFlight: 8, Rehearse: true, Forms: sio.Forms()},
	} {
		r, err := measure(t, &fake{}, s)
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		if r.Messages != 90 || r.BaseRSS < 1<<20 {
			t.Errorf("%+v: %d messages of 90, base %d", s, r.Messages, r.BaseRSS)
		}
	}
}

// Faults of the server end the run with an error.
func TestFaultsAreErrors(t *testing.T) {
	fan := Spec{Kind: Fanout, Conns: 20, InFlight: 1}
	for _, c := range []struct {
		fault string
		spec  Spec
		kind  error
		want  string
	}{
		{"refuse", fan, ErrBrokeOff, "rate_limited"},
		{"repeat", Spec{Kind: Fanout, Conns: 20, Rate: 2000}, ErrBrokeOff, "got an update twice"},
		{"lose", Spec{Kind: Fanout, Conns: 20, Rate: 2000}, ErrLost, "did not arrive"},
		{"change", Spec{Kind: Fanout, Conns: 20, Sizes: []int{4096}}, ErrBrokeOff, "other records"},
		{"compress", Spec{Kind: Fanout, Conns: 20, Sizes: []int{4096}, Forms: []sio.Form{sio.Deflate}}, ErrBrokeOff, "not compressed"},
		{"hang up", fan, ErrBrokeOff, ""}, // closed by the server, or reset by it
	} {
		_, err := measure(t, &fake{fault: c.fault}, c.spec)
		if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: got %v", c.fault, err)
		}
	}
}

func TestBurst(t *testing.T) {
	const updates, conns = 300, 6
	for _, c := range []struct {
		fault             string
		lost, twice, late bool
	}{{}, {fault: "lose", lost: true}, {fault: "repeat", twice: true}, {fault: "swap", late: true}} {
		t.Run(c.fault, func(t *testing.T) {
			r, err := measure(t, &fake{fault: c.fault}, Spec{Kind: Burst, Conns: conns, Updates: updates, Nodes: 2})
			if err != nil {
				t.Fatal(err)
			}
			if r.Messages+r.Lost != updates*conns {
				t.Errorf("%d delivered and %d lost of %d", r.Messages, r.Lost, updates*conns)
			}
			if (r.Lost > 0) != c.lost || (r.Twice > 0) != c.twice || (r.Late > 0) != c.late {
				t.Errorf("lost %d, twice %d, late %d", r.Lost, r.Twice, r.Late)
			}
			if runtime.GOOS == "linux" && r.Peak < r.RSS/2 {
				t.Errorf("peak %d, at the end %d", r.Peak, r.RSS)
			}
		})
	}
	if _, err := measure(t, &fake{fault: "refuse"}, Spec{Kind: Burst, Conns: 2, Updates: 3}); !errors.Is(err, ErrBrokeOff) {
		t.Errorf("refused: got %v", err)
	}
}

func TestWrongNumberOfNodes(t *testing.T) {
	_, err := Run(t.Context(), Target{Nodes: []Node{{URL: "http://127.0.0.1:1"}}}, Spec{Kind: Fanout, Conns: 2, Nodes: 2}, short, nil)
	if err == nil || !strings.Contains(err.Error(), "for 2 nodes, there are 1") {
		t.Errorf("got %v", err)
	}
}

func TestSpecsThatCannotBe(t *testing.T) {
	for _, s := range []Spec{
		{Kind: "flood", Conns: 1}, {Kind: Echo}, {Kind: Rooms, Conns: 15}, {Kind: Connect, Conns: 1, Rate: 5},
		{Kind: Publish, Conns: 1, Sizes: []int{-1}}, {Kind: Echo, Conns: 1, Rate: -1},
		{Kind: Burst, Conns: 1, Updates: -1}, {Kind: Burst, Conns: 1, Rate: 1}, {Kind: Echo, Conns: 1, Forms: []sio.Form{"xml"}},
		{Kind: Publish, Conns: 1, Binary: true, Forms: []sio.Form{sio.Msgpack}}, {Kind: Polling, Conns: 1, Forms: []sio.Form{sio.Deflate}},
	} {
		if _, err := s.withDefaults(); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}

func TestIsEvent(t *testing.T) {
	for p, want := range map[string]bool{
		`2["update",{}]`: true, `51-["update",{}]`: true, `2["updated",{}]`: false, `2["up"]`: false, `3["update",1]`: false,
		`51`: false, ``: false, `2["update"]`: true,
	} {
		if got := isEvent([]byte(p), "update"); got != want {
			t.Errorf("isEvent(%s) = %v", p, got)
		}
	}
}

func TestStamps(t *testing.T) {
	p := appendUpdate(nil, 7, "r", 1234567890123, nil)
	if want := `27["publish-update",{"roomId":"r","type":"bench","payload":{"n":1234567890123}}]`; string(p) != want {
		t.Errorf("got %s, want %s", p, want)
	}
	if n, ok := stamped(p); !ok || n != 1234567890123 {
		t.Errorf("stamp %d, %v", n, ok)
	}
	for _, p := range []string{``, `2["update",{"payload":null}]`, `{"n":"x"}`} {
		if n, ok := stamped([]byte(p)); ok {
			t.Errorf("%s has the stamp %d", p, n)
		}
	}
	p = appendUpdate(nil, 7, "r", 5, records(500))
	if n, ok := stamped(p); !ok || n != 5 || !json.Valid(p[2:]) {
		t.Errorf("stamp %d, %v in %s", n, ok, p)
	}
	if n, ok := stamped(append([]byte(stamp), bytes.Repeat([]byte("9"), 100)...)); !ok || n < 0 {
		t.Errorf("a hundred digits overflow: %d, %v", n, ok)
	}
}

// Records have the wanted size, are JSON as Node writes it, and can be compressed to about a third.
func TestRecords(t *testing.T) {
	for _, n := range []int{4, 300, 4096, 64 << 10} {
		b := records(n)
		var v any
		if err := json.Unmarshal(b, &v); err != nil || len(b) != n {
			t.Errorf("%d bytes of %d: %v", len(b), n, err)
		}
		var compact bytes.Buffer
		json.Compact(&compact, b)
		if !bytes.Equal(compact.Bytes(), b) {
			t.Errorf("%s has white space", b)
		}
	}
	small, err := wsflate.CompressFrame(ws.NewTextFrame(records(4096)))
	if n := small.Header.Length; err != nil || n < 4096/5 || n > 4096/2 {
		t.Errorf("4096 bytes become %d, %v", n, err)
	}
	if records(0) != nil {
		t.Error("records of no bytes")
	}
}
