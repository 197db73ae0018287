package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio"
)

type message struct {
	Room string `json:"room"`
	Text string `json:"text"`
}

type receipt struct {
	At time.Time `json:"at"`
}

// users are the program's, by their tokens.
var users = map[string]string{"ana's token": "ana"}

// known admits clients that connect with io(url, { auth: { token } }). If a client
// sends no payload, Auth is {}, so known checks the token itself.
func known(_ context.Context, s *socketio.Socket) error {
	var auth struct {
		Token string `json:"token"`
	}
	if err := s.Handshake().Auth.Decode(&auth); err != nil {
		return errors.New("token must be a string") // the client's connect_error
	}
	user, ok := users[auth.Token]
	if !ok {
		return errors.New("who are you?")
	}
	return s.SetData(user)
}

// A chat: clients join rooms and say something there.
func Example() {
	io := socketio.New(socketio.Options{})
	chat := io.Namespace("/chat")
	chat.Use(known)
	chat.OnConnect(func(ctx context.Context, s *socketio.Socket) error {
		return s.Join(ctx, "lobby")
	})
	chat.Handle("join", socketio.Do(func(ctx context.Context, s *socketio.Socket, room string) error {
		return s.Join(ctx, room)
	}))
	chat.Handle("say", socketio.Func(func(ctx context.Context, s *socketio.Socket, in message) (receipt, error) {
		if !s.In(in.Room) {
			return receipt{}, &socketio.Error{Code: "unauthorized", Message: "join the room first"}
		}
		return receipt{At: time.Now()}, s.To(in.Room).Emit(ctx, "said", in.Text)
	}))
	hs := engineio.NewHTTPServer(io.Attach(http.DefaultServeMux))
	hs.Addr = "localhost:3000"
	log.Fatal(hs.ListenAndServe())
}

// A private message: three arguments, the answer of the other side, a typed reply.
func ExampleFunc3() {
	io := socketio.New(socketio.Options{})
	chat := io.Namespace("/chat")
	type receipt struct {
		ReadBy string `json:"readBy"`
	}
	chat.Handle("whisper", socketio.Func3(func(ctx context.Context, s *socketio.Socket, to, text string, urgent bool) (receipt, error) {
		answers, _ := socketio.AskAll[string](ctx, chat.To("user:"+to).Timeout(5*time.Second), "whispered", s.ID(), text, urgent)
		if len(answers) == 0 || answers[0].Err != nil {
			return receipt{}, &socketio.Error{Code: "away", Message: "no answer"}
		}
		return receipt{ReadBy: answers[0].Value}, nil
	}))
}

// A server that stops. Shutdown closes the clients one after the other, and they
// reconnect to the other servers. Then the HTTP server waits for its requests. What the
// program has opened for its handlers is closed last.
func ExampleServer_Shutdown() {
	io := socketio.New(socketio.Options{})
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if io.Draining() { // the balancer sends no more clients
			http.Error(w, "draining", http.StatusServiceUnavailable)
		}
	})
	hs := engineio.NewHTTPServer(io.Attach(mux))
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	go hs.Serve(listener)

	// When a signal comes, which signal.NotifyContext reports:
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stopped := io.Shutdown(ctx, 15*time.Second)
	fmt.Println(stopped, hs.Shutdown(ctx))
	// Output: <nil> <nil>
}

// A handler may wait for its client's answer.
func ExampleSocket_EmitWithAck() {
	io := socketio.New(socketio.Options{})
	io.Namespace("/").Handle("delete", socketio.Do(func(ctx context.Context, s *socketio.Socket, id int) error {
		answer, err := s.Timeout(10*time.Second).EmitWithAck(ctx, "sure?", id)
		if err != nil {
			return err
		}
		var sure bool
		if answer.Decode(&sure) != nil || !sure {
			return &socketio.Error{Code: "cancelled", Message: "not deleted"}
		}
		return nil
	}))
}

// Ask decodes the answer.
func ExampleAsk() {
	io := socketio.New(socketio.Options{})
	socketio.On(io.Namespace("/"), "vote", func(ctx context.Context, s *socketio.Socket, topic string) (bool, error) {
		return socketio.Ask[bool](ctx, s.Timeout(10*time.Second), "for or against?", topic)
	})
}

// An acknowledgement that no handler waits for.
func ExampleSocket_OnAck() {
	io := socketio.New(socketio.Options{})
	io.Namespace("/").OnConnect(func(ctx context.Context, s *socketio.Socket) error {
		return s.OnAck(func(ctx context.Context, answer socketio.Args, err error) {
			log.Print(s.ID(), " has seen the news: ", err == nil)
		}).Emit(ctx, "news", "welcome")
	})
}

// All clients are asked, and the answers that come within a second are counted.
func ExampleOperator_EmitWithAck() {
	io := socketio.New(socketio.Options{})
	answers, err := io.Namespace("/").To("voters").Timeout(time.Second).EmitWithAck(context.Background(), "vote", "tea or coffee?")
	fmt.Println(len(answers), err)
	// Output: 0 <nil>
}

// An argument that is not decoded stays the JSON that it was.
func ExampleValue() {
	type update struct {
		Payload socketio.Value `json:"payload"`
	}
	v := socketio.Value{JSON: []byte(`{"payload":{"n":1.50}}`)}
	var u update
	if err := v.Decode(&u); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", u.Payload.JSON)
	// Output: {"n":1.50}
}
