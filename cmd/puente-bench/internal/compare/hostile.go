package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/puente-io/puente/cmd/puente-bench/internal/proc"
	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

// ErrHostile is returned if a server ends the connection during a measurement.
var ErrHostile = errors.New("compare: connection ended")

// Shape is a kind of JSON that is expensive to parse.
type Shape struct {
	Name string
	// JSON is the text of an object's members, of about 0.9 MB.
	JSON string
	// Arguments, if set, are sent in place of an object.
	Arguments string
	// Broken means that Arguments are not valid JSON, so that the server must end the connection.
	Broken bool
}

// hostileSize is slightly below the maximum message size of the servers, in bytes.
const hostileSize = 900_000

// Shapes returns the shapes. They repeat a thousand names: distinct names would be much more expensive on Node.
func Shapes() []Shape {
	list := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < hostileSize; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, format, i%1000)
		}
		return b.String()
	}
	repeat := func(s string) string { return strings.Repeat(s, hostileSize/len(s)) }
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) + "," }
	zeros := repeat("0,") + "0"
	return []Shape{
		{Name: "keys with escapes", JSON: list(`"\u0061%d":0`)},
		{Name: "keys like _placeholder", JSON: list(`"\u005fplaceholde%d":true`)},
		{Name: "keys", JSON: list(`"a%d":0`)},
		{Name: "numbers", JSON: `"a":[` + zeros + `]`},
		{Name: "objects", JSON: `"a":[` + repeat("{},") + `0]`},
		{Name: "nested", JSON: `"a":[` + repeat(nested(400)) + `0]`},
		{Name: "nested 1,000 deep", JSON: `"a":[` + repeat(nested(1000)) + `0]`}, // Puente refuses it
		{Name: "escapes in text", JSON: `"a":"` + repeat(`\u0061`) + `"`},
		{Name: "short escapes", JSON: `"a":"` + repeat(`\n`) + `"`},
		{Name: "text", JSON: `"a":"` + repeat("abcdefgh") + `"`},
		{Name: "white space", JSON: `"a":` + repeat(" ") + `0`},
		// 50,000 would crash Node.
		{Name: "10,000 arguments", Arguments: strings.Repeat(`"`+strings.Repeat("x", 85)+`",`, 10_000) + "0"}, // Puente refuses them
		{Name: "brackets", Arguments: repeat("["), Broken: true},
		{Name: "brackets of objects", Arguments: repeat(`{"a":`), Broken: true},
	}
}

// hostileEvents are the events in which a shape is sent: one without a handler, and those whose arguments are decoded.
var hostileEvents = []string{"unhandled", "publish-update", "publish-notification", "join-room"}

// HostileRow is the cost of a shape in an event.
type HostileRow struct {
	Shape, Event string
	CPU          []float64 // ms per megabyte, in the order of the servers
}

// Hostile measures each shape whose name contains only, in each event, on each server, and calls row with the lowest cost of the
// rounds. Within a round the servers run one after the other.
func Hostile(ctx context.Context, servers []*Server, only string, rounds, messages int, row func(HostileRow)) error {
	for _, s := range servers {
		if err := s.prepare(ctx, s); err != nil {
			return err
		}
	}
	for _, shape := range Shapes() {
		for _, event := range hostileEvents {
			switch {
			case !strings.Contains(shape.Name, only), shape.Broken && event != "unhandled",
				shape.Arguments != "" && event != "unhandled" && event != "publish-update":
				continue
			}
			r := HostileRow{Shape: shape.Name, Event: event, CPU: slices.Repeat([]float64{math.Inf(1)}, len(servers))}
			for range rounds {
				for i, s := range servers {
					cost, err := s.hostile(ctx, shape, event, messages)
					if err != nil {
						return fmt.Errorf("%s: %s in %s: %w", s.Title, shape.Name, event, err)
					}
					r.CPU[i] = min(r.CPU[i], cost)
				}
			}
			row(r)
		}
	}
	return nil
}

// packet returns the event with the shape and the fields that the event requires.
func (s Shape) packet(event string) string {
	switch {
	case s.Arguments != "":
		return `42["` + event + `",` + s.Arguments + `]`
	case event == "publish-update":
		return `42["publish-update",{"roomId":"r","type":"x","payload":{` + s.JSON + `}}]`
	case event == "publish-notification":
		return `42["publish-notification",{"targetUserId":"nobody","type":"INFO","title":"x","payload":{` + s.JSON + `}}]`
	}
	return `42["` + event + `",{"roomId":7.5,` + s.JSON + `}]` // an invalid room
}

// Once a server has used so much CPU time for a shape, more messages would not make its cost more certain.
const (
	enoughToWarmUp  = 300 * time.Millisecond
	enoughToMeasure = 1200 * time.Millisecond
)

// hostile returns the CPU time in ms per megabyte that a fresh server needs for at most so many messages of a shape, after a warm-up.
func (s *Server) hostile(ctx context.Context, shape Shape, event string, messages int) (float64, error) {
	p, err := s.start(ctx)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	packet := shape.packet(event)
	send := func(n int) error {
		if !shape.Broken {
			return converse(ctx, p.addr, slices.Repeat([]string{packet}, n), false)
		}
		for range n {
			if err := converse(ctx, p.addr, []string{packet}, true); err != nil {
				return err
			}
		}
		return nil
	}
	// cost sends messages in small groups until most were sent or they have cost enough CPU time.
	cost := func(most int, enough time.Duration) (spent time.Duration, sent int, err error) {
		before, err := proc.CPU(p.cmd.Process.Pid)
		for err == nil && sent < most && spent < enough {
			n := min(10, most-sent)
			if err = send(n); err != nil {
				break
			}
			sent += n
			var now time.Duration
			now, err = proc.CPU(p.cmd.Process.Pid)
			spent = now - before
		}
		return spent, sent, err
	}
	if _, _, err := cost(max(messages/4, 1), enoughToWarmUp); err != nil {
		return 0, err
	}
	spent, sent, err := cost(messages, enoughToMeasure)
	if err != nil {
		return 0, err
	}
	megabytes := float64(sent*len(packet)) / 1e6
	return float64(spent) / float64(time.Millisecond) / megabytes, nil
}

// converse connects with a token, sends packets, and waits until the server answers a ping sent after them, or, if ends is set,
// until the server ends the connection.
func converse(ctx context.Context, addr string, packets []string, ends bool) error {
	token, err := sio.Token(secret, "hostile")
	if err != nil {
		return err
	}
	conn, first, _, err := ws.Dial(ctx, "ws://"+addr+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return err
	}
	var r io.Reader = conn
	if first != nil { // has data that arrived with the handshake
		r = first
	}
	write := func(text string) error { return wsutil.WriteClientText(conn, []byte(text)) }
	var writing sync.WaitGroup
	defer writing.Wait()
	defer conn.Close() // ends the writing goroutine
	conn.SetDeadline(time.Now().Add(time.Minute))
	if err := write(fmt.Sprintf(`40{"token":%q}`, token)); err != nil {
		return err
	}
	for {
		b, _, err := wsutil.ReadServerData(struct {
			io.Reader
			io.Writer
		}{r, conn})
		switch text := string(b); {
		case err != nil && ends:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", ErrHostile, err)
		case strings.HasPrefix(text, "40"):
			writing.Go(func() {
				for _, p := range append(packets, `429["ping"]`) {
					if write(p) != nil {
						return // the reader returns the error
					}
				}
			})
		case strings.HasPrefix(text, "439"):
			return nil
		case strings.HasPrefix(text, "44"):
			return fmt.Errorf("%w: %s", ErrHostile, text)
		}
	}
}
