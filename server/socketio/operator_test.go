package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// The methods of the zero operators return an error and do not panic.
func TestZeroOperators(t *testing.T) {
	ctx := t.Context()
	var o socketio.Operator
	var s socketio.SocketOperator
	var r socketio.RemoteSocket
	_, ack := o.To("r").Except("q").EmitWithAck(ctx, "x")
	_, fetch := o.FetchSockets(ctx)
	_, socketAck := s.Timeout(time.Second).EmitWithAck(ctx, "x")
	for what, err := range map[string]error{
		"Emit": o.Local().Volatile().Emit(ctx, "x"), "EmitAccepted": o.EmitAccepted(ctx, "x"), "EmitWithAck": ack, "FetchSockets": fetch,
		"Post": o.Post("x"), "Join": o.Join(ctx, "r"), "Leave": o.Leave(ctx, "r"), "Disconnect": o.Disconnect(ctx, true),
		"SocketOperator.Emit": s.Volatile().Compress(false).Emit(ctx, "x"), "SocketOperator.EmitWithAck": socketAck, "RemoteSocket.Emit": r.Emit(ctx, "x"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// Timeout ends the wait for one client's acknowledgement before the deadline of the
// context or Options.AckTimeout. If it is negative, only the end of the context does.
func TestSocketTimeout(t *testing.T) {
	for _, tc := range []struct {
		timeout, deadline, after time.Duration
		want                     error
	}{
		{time.Second, 0, time.Second, socketio.ErrTimeout},
		{time.Second, time.Minute, time.Second, socketio.ErrTimeout},
		{time.Minute, time.Second, time.Second, context.DeadlineExceeded},
		{-1, 0, time.Hour, context.Canceled},
	} {
		inBubble(t, socketio.Options{}, func(t *testing.T, io *socketio.Server, opts engineiotest.Options) {
			c, _ := socketiotest.Join(t, engineiotest.Dial(t, endpoint, opts), "/", nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tc.deadline > 0 {
				ctx, cancel = context.WithTimeout(ctx, tc.deadline)
				defer cancel()
			}
			defer time.AfterFunc(time.Hour, cancel).Stop()
			start := time.Now()
			_, err := io.Namespace("/").Socket(c.SID).Timeout(tc.timeout).EmitWithAck(ctx, "q")
			if got := time.Since(start); !errors.Is(err, tc.want) || got != tc.after {
				t.Errorf("%+v: %v after %v", tc, err, got)
			}
			c.Expect("q")
		})
	}
}

// Emit does not wait for a client that is behind once its context has ended; the
// event is queued all the same.
func TestEmitEndsWithItsContext(t *testing.T) {
	srv := serve(t, socketio.Options{Engine: engineio.Options{MaxQueueBytes: 100_000, SlowTimeout: time.Hour}})
	c, s := pair(t, srv, socketiotest.Options{})
	c.StopReading()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // more than the buffers of the connection and the queue take
		if err := s.Emit(ctx, "x", make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
	}
}

// The context of a disconnect handler is not the socket's, which has ended; it
// ends when Close gives up.
func TestDisconnectContext(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	errs := make(chan string, 1)
	waits := make(chan struct{})
	ns.OnDisconnect(func(ctx context.Context, s *socketio.Socket, _ socketio.Reason) {
		errs <- fmt.Sprint(ctx.Err(), " ", s.Context().Err())
		close(waits)
		<-ctx.Done()
	})
	c := dial(t, srv)
	c.Leave()
	if got := receive(t, errs, "the disconnect"); got != "<nil> context canceled" {
		t.Errorf("got %s", got)
	}
	<-waits
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.IO.Close(ctx); err != context.Canceled {
		t.Errorf("Close: %v", err)
	}
	// The server's second Close, by serve, waits for the handler, which has ended now.
}

// If the cluster has accepted an event, EmitAccepted returns nil even if ctx has ended. (A
// backend that closed its half of the connection after its request got 503 now and then.)
func TestEmitAcceptedAfterTheEnd(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if err := srv.IO.Namespace("/").All().EmitAccepted(ctx, "x"); err != nil {
			t.Fatal(err)
		}
	}
}
