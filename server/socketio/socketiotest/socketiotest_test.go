package socketiotest_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a test of a program looks like, over each transport.
func TestChat(t *testing.T) {
	for name, opts := range map[string]socketiotest.Options{
		"WebSocket": {}, "polling": {Polling: true}, "upgrade": {Upgrade: true},
	} {
		t.Run(name, func(t *testing.T) {
			io := socketio.New(socketio.Options{})
			io.Namespace("/").Handle("say", socketio.Func(func(ctx context.Context, s *socketio.Socket, text string) (int, error) {
				return len(text), s.Broadcast().Emit(ctx, "said", text, []byte(text))
			}))
			srv := socketiotest.NewServer(io)
			defer srv.Close()

			alice := socketiotest.Dial(t, srv.URL, opts)
			bob := socketiotest.Dial(t, srv.URL, opts)
			if ack := alice.EmitAck("say", "hello"); string(ack[0]) != "5" {
				t.Errorf("acknowledged with %s", ack)
			}
			var text string
			said := bob.Expect("said")
			if err := said.Decode(0, &text); err != nil || text != "hello" || string(said.Attachments[0]) != "hello" {
				t.Errorf("got %s, %v", said.Args, err)
			}
			alice.Leave()
			io.Namespace("/").Socket(bob.SID).Disconnect(true)
			bob.ExpectDisconnect()
			bob.End()
		})
	}
}
