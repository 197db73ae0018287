package engineio

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// 0 is the default in every field; a negative value turns off what may be turned off.
func TestOptionsBelowZero(t *testing.T) {
	zero, below := Options{}, Options{}
	v := reflect.ValueOf(&below).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.CanInt() {
			f.SetInt(-1)
		}
	}
	zero, below = zero.withDefaults(), below.withDefaults()
	defaults := reflect.ValueOf(zero)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		f := reflect.ValueOf(below).Field(i)
		if !f.CanInt() {
			continue
		}
		off := false
		switch name {
		case "MaxHTTPBufferSize", "MaxQueueBytes", "MaxBacklogBytes", "MaxTotalQueueBytes":
			off = f.Int() >= math.MaxInt32
		case "MaxRequestBytes", "MaxSessions", "MaxSessionsPerAddress", "MaxHandshakesPerAddress", "MaxHandshakesPerSecond", "CompressionThreshold", "PerMessageDeflateThreshold", "HandshakeBurstPerAddress":
			off = f.Int() <= 0
		default:
			if f.Int() != defaults.Field(i).Int() {
				t.Errorf("%s: %d, want the default", name, f.Int())
			}
			continue
		}
		if !off {
			t.Errorf("%s: %d is a limit", name, f.Int())
		}
	}
}

// Without a limit for publishers a client that does not read still has a bound.
func TestNoQueueLimitKeepsTheBacklog(t *testing.T) {
	for _, tc := range []struct{ queue, backlog, wantQueue, wantBacklog int }{
		{-1, 0, 64 << 20, 64 << 20},
		{-1, 1000, 1000, 1000},
		{-1, -1, unlimitedBytes, unlimitedBytes},
		{100 << 20, 0, 100 << 20, 100 << 20},
		{0, 0, 1 << 20, 64 << 20},
	} {
		o := Options{MaxQueueBytes: tc.queue, MaxBacklogBytes: tc.backlog}.withDefaults()
		if o.MaxQueueBytes != tc.wantQueue || o.MaxBacklogBytes != tc.wantBacklog {
			t.Errorf("%d, %d: %d, %d, want %d, %d", tc.queue, tc.backlog, o.MaxQueueBytes, o.MaxBacklogBytes, tc.wantQueue, tc.wantBacklog)
		}
	}
}

// A server without limits serves.
func TestNoLimits(t *testing.T) {
	e := serve(t, Options{
		MaxHTTPBufferSize: -1, MaxQueueBytes: -1, MaxBacklogBytes: -1, MaxTotalQueueBytes: -1, MaxRequestBytes: -1, MaxSessions: -1,
		MaxSessionsPerAddress: -1, MaxHandshakesPerAddress: -1, HandshakeBurstPerAddress: -1, MaxHandshakesPerSecond: -1, CompressionThreshold: -1,
		PingInterval: -1, PingTimeout: -1, UpgradeTimeout: -1, BodyTimeout: -1, CloseTimeout: -1, SlowTimeout: -1,
	})
	for _, polling := range []bool{false, true} {
		c := engineiotest.Dial(t, e.url, engineiotest.Options{Polling: polling})
		if polling {
			c.Upgrade()
		}
		large := make([]byte, 2_000_000)
		c.SendBinary(large)
		if m := c.Next(); len(m.Data) != len(large) {
			t.Errorf("polling %v: %d bytes came back", polling, len(m.Data))
		}
		if c.Handshake.PingInterval != int(25*time.Second/time.Millisecond) {
			t.Errorf("ping interval %d", c.Handshake.PingInterval)
		}
	}
}

// Even with the smallest MaxQueueBytes a publisher makes progress while its client reads.
func TestSmallestQueue(t *testing.T) {
	e := serve(t, Options{MaxQueueBytes: 1})
	c, r := e.dial(t, false)
	message := TextFrame(make([]byte, 20_000))
	sent := make(chan error, 1)
	go func() {
		for range 50 {
			if err := r.session.Send(message); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for range 50 {
		c.Next()
	}
	if err := receive(t, sent, "the end of the sending"); err != nil {
		t.Error(err)
	}
}
