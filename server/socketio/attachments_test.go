package socketio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// references is a list of n placeholders of attachment 0, without brackets.
func references(n int) string {
	return strings.TrimSuffix(strings.Repeat(`{"_placeholder":true,"num":0},`, n), ",")
}

// An event is refused if its placeholders, counted one by one, exceed a limit of
// attachments. The sender gets the reason and stays connected, and no other client
// notices.
func TestReferencesAreBounded(t *testing.T) {
	srv := serve(t, socketio.Options{MaxAttachmentBytes: 5000})
	ns := srv.IO.Namespace("/")
	seen := make(chan string, 100)
	ns.UseEvent(func(_ context.Context, _ *socketio.Socket, e *socketio.Event, next func() error) error {
		err := next()
		seen <- fmt.Sprintf("%s %d %v", e.Name, len(e.Args()), errors.Is(err, socketio.ErrAttachments))
		return err
	})
	ns.OnAny(socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		seen <- "handled " + e.Name
		return nil
	}))
	ns.Handle("echo", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		if err := ns.Emit(ctx, "echoed", e.Args().Any()...); err != nil {
			return err
		}
		return e.Reply("done")
	}))
	bystander, c := dial(t, srv), dial(t, srv)
	ask := func(packet string, attachment []byte) string {
		t.Helper()
		c.SendText(packet)
		c.SendBinary(attachment)
		return c.Text()
	}
	many, large := "attachments must be at most 10, counted at each place that names one", "attachments must have at most 5000 bytes, counted at each place that names one"
	for _, tc := range []struct {
		n, size int
		want    string
	}{
		{11, 1, many}, {900, 1, many}, {20_000, 900_000, many}, {6, 1000, large}, {1, 5001, large},
	} {
		got := ask(`51-0["echo",[`+references(tc.n)+`]]`, make([]byte, tc.size))
		if !strings.HasPrefix(got, `30[{"error":{`) || !strings.Contains(got, `"invalid"`) || !strings.Contains(got, `"`+tc.want+`"`) {
			t.Errorf("%d placeholders of %d bytes: %s", tc.n, tc.size, got)
		}
	}
	if got := srv.IO.LimitCounts().References; got != 5 {
		t.Errorf("%d refusals are counted, want 5", got)
	}
	for range 5 {
		if got := receive(t, seen, "the event"); got != "echo 0 true" {
			t.Errorf("the middleware or a handler saw %q", got)
		}
	}
	// With as many placeholders as allowed the event is sent, and its attachment once. The
	// bystander has received nothing before that.
	c.SendText(`51-1["echo",[` + references(5) + `],` + references(5) + `]`)
	c.SendBinary(make([]byte, 500))
	for _, c := range []*socketiotest.Client{bystander, c} {
		e := c.Expect("echoed")
		if got := text(e.Args); got != `[[`+references(5)+`],`+references(5)+`]` || len(e.Attachments) != 1 || len(e.Attachments[0]) != 500 {
			t.Errorf("got %s with %d attachments", got, len(e.Attachments))
		}
	}
	if got := c.Text(); got != `31["done"]` {
		t.Errorf("got %s", got)
	}
}

// The acknowledgement of a client has the same limits as its events: if it exceeds one,
// the program that waits for it gets an error.
func TestReferencesOfAcknowledgements(t *testing.T) {
	srv := serve(t, socketio.Options{MaxAttachmentBytes: 5000})
	c, s := pair(t, srv, socketiotest.Options{})
	for _, tc := range []struct {
		n, size int
		refused bool
	}{{10, 500, false}, {11, 1, true}, {6, 1000, true}} {
		failed := make(chan error, 1)
		go func() { _, err := s.EmitWithAck(t.Context(), "q"); failed <- err }()
		kind, rest, _ := strings.Cut(c.Text(), `["q"]`)
		if rest != "" {
			t.Fatal(kind, rest)
		}
		c.SendText(`61-` + kind[1:] + `[[` + references(tc.n) + `]]`)
		c.SendBinary(make([]byte, tc.size))
		if err := receive(t, failed, "the answer"); errors.Is(err, socketio.ErrAttachments) != tc.refused || err != nil != tc.refused {
			t.Errorf("%d placeholders of %d bytes: %v", tc.n, tc.size, err)
		}
	}
	if got := srv.IO.LimitCounts().References; got != 2 {
		t.Errorf("%d refusals are counted, want 2", got)
	}
}

// Emit returns an error for an event that would make official clients disconnect, and does
// not send it.
func TestEmitTooManyAttachments(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	c, s := pair(t, srv, socketiotest.Options{})
	blob := []byte("x")
	var eleven, ten []any
	for range 11 {
		eleven = append(eleven, blob)
	}
	ten = eleven[:10]
	repeated := socketio.Value{JSON: []byte(`[` + references(11) + `]`), Attachments: [][]byte{blob}}
	dangling := []any{socketio.Value{JSON: []byte(`{"_placeholder":true,"num":5}`)}, blob}
	replied := make(chan error, 1)
	args := make(chan []any, 1)
	ns.Handle("ask", socketio.HandlerFunc(func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		replied <- e.Reply((<-args)...)
		return e.Reply("short")
	}))
	for name, tc := range map[string]struct {
		args []any
		err  error
	}{
		"eleven": {eleven, socketio.ErrAttachments}, "in one value": {[]any{eleven}, socketio.ErrAttachments},
		"one named eleven times": {[]any{repeated}, socketio.ErrAttachments}, "named in two places": {[]any{map[string]any{"a": repeated}}, socketio.ErrAttachments},
		"an object that looks like a placeholder": {dangling, socketio.ErrEncode},
	} {
		args <- tc.args
		check := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, tc.err) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		check("Socket.Emit", s.Emit(t.Context(), "e", tc.args...))
		check("Volatile", s.Volatile().Emit(t.Context(), "e", tc.args...))
		_, err := s.EmitWithAck(t.Context(), "e", tc.args...)
		check("EmitWithAck", err)
		check("Namespace.Emit", ns.Emit(t.Context(), "e", tc.args...))
		_, err = ns.All().EmitWithAck(t.Context(), "e", tc.args...)
		check("Operator.EmitWithAck", err)
		if got := text(c.EmitAck("ask")); got != `["short"]` {
			t.Errorf("%s: answer %s", name, got)
		}
		check("Reply", receive(t, replied, "the reply"))
	}
	if err := s.Emit(t.Context(), "e", ten...); err != nil {
		t.Error(err)
	}
	if e := c.Expect("e"); len(e.Attachments) != 10 {
		t.Errorf("%d attachments", len(e.Attachments))
	}
}

// A server can allow more attachments, for clients that take more.
func TestMoreAttachments(t *testing.T) {
	srv := serve(t, socketio.Options{MaxAttachments: 200})
	srv.IO.Namespace("/").Handle("echo", socketio.HandlerFunc(func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		return s.Emit(ctx, "e", e.Args().Any()...)
	}))
	c := dial(t, srv)
	var list []string
	for i := range 100 { // each named twice
		list = append(list, fmt.Sprintf(`{"_placeholder":true,"num":%d},{"_placeholder":true,"num":%d}`, i, 99-i))
	}
	c.SendText(`5100-["echo",[` + strings.Join(list, ",") + `]]`)
	for i := range 100 {
		c.SendBinary([]byte{byte(i)})
	}
	e := c.Expect("e")
	var places []struct{ Num int }
	if err := json.Unmarshal(e.Args[0], &places); err != nil || len(places) != 200 {
		t.Fatal(err, len(places))
	}
	for i, p := range places {
		want := i / 2
		if i%2 == 1 {
			want = 99 - i/2
		}
		if got := e.Attachments[p.Num]; len(got) != 1 || got[0] != byte(want) {
			t.Errorf("place %d has %v, want %d", i, got, want)
		}
	}
	if n := len(e.Attachments); n < 100 || n > 200 {
		t.Errorf("%d attachments", n)
	}
}

// If another server broadcasts an event that would make official clients disconnect, it is
// dropped and counted.
func TestBroadcastsOfOthersAreBounded(t *testing.T) {
	cluster := adapter.NewMemory()
	dropped := make(chan error, 10)
	far := serve(t, socketio.Options{Adapter: cluster.Factory(), MaxAttachments: 1000})
	near := serve(t, socketio.Options{Adapter: cluster.Factory(), Hooks: socketio.Hooks{
		BroadcastDropped: func(ns *socketio.Namespace, err error) { dropped <- fmt.Errorf("%s: %w", ns.Name(), err) },
	}})
	near.IO.Namespace("/")
	c := dial(t, near)
	blobs := func(n int) (args []any) {
		for i := range n {
			args = append(args, []byte{byte(i)})
		}
		return args
	}
	ns := far.IO.Namespace("/")
	for _, n := range []int{11, 1000} {
		if err := ns.Emit(t.Context(), "e", blobs(n)...); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, dropped, "the hook's call"); !errors.Is(err, socketio.ErrAttachments) || !strings.HasPrefix(err.Error(), "/: ") {
			t.Errorf("got %v", err)
		}
	}
	if answers, err := ns.All().EmitWithAck(t.Context(), "e", blobs(11)...); len(answers) != 0 || err != nil {
		t.Errorf("%d answers, %v", len(answers), err)
	}
	if err := ns.Emit(t.Context(), "e", blobs(10)...); err != nil {
		t.Fatal(err)
	}
	if e := c.Expect("e"); len(e.Attachments) != 10 {
		t.Errorf("%d attachments", len(e.Attachments))
	}
	if got := near.IO.LimitCounts().References; got != 3 {
		t.Errorf("%d drops are counted, want 3", got)
	}
}

// Decoding costs as much per byte however deeply a value with an attachment is
// nested. What used to cost 400 times as much may cost 20 times here, so that it
// does not matter how busy the machine is.
func TestDecodeDeepWithAttachment(t *testing.T) {
	deep := func(depth int) socketio.Value {
		pad := strings.Repeat("x", 200_000)
		text := strings.Repeat(`{"a":[`, depth) + `{"_placeholder":true,"num":0},"` + pad + `"` + strings.Repeat(`]}`, depth)
		return socketio.Value{JSON: []byte(text), Attachments: [][]byte{[]byte("blob")}}
	}
	least := func(depth int) time.Duration {
		v, best := deep(depth), time.Hour
		for range 20 {
			var into any
			start := time.Now()
			if err := v.Decode(&into); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	var into any
	if err := deep(200).Decode(&into); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		into = into.(map[string]any)["a"].([]any)[0]
	}
	if b, ok := into.([]byte); !ok || !bytes.Equal(b, []byte("blob")) {
		t.Errorf("at the bottom is %v", into)
	}
	if shallow, nested := least(1), least(200); nested > 20*shallow {
		t.Errorf("%v for depth 200, %v for depth 1", nested, shallow)
	} else {
		t.Logf("%v for depth 200, %v for depth 1", nested, shallow)
	}
}
