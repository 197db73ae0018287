package compat_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/puente-io/puente/server/socketio"
)

// serveSocketIO starts the socket.io server of record/server.js, in Go.
func serveSocketIO(t *testing.T, o nodeOptions) string {
	opts := socketio.Options{Engine: o.engine(t), ConnectTimeout: millis(o.ConnectTimeout)}
	opts.Recovery.Window = millis(o.ConnectionStateRecovery.MaxDisconnectionDuration)
	opts.Recovery.RunMiddleware = off(o.ConnectionStateRecovery.SkipMiddlewares)
	if o.ServeClient != nil && *o.ServeClient {
		opts.BundleVersion = clientVersion(t)
		opts.Bundle = os.DirFS("../node_modules/socket.io/client-dist")
	}
	io := socketio.New(opts)

	var asking sync.WaitGroup
	greet(io.Namespace("/").Handlers, &asking)
	greet(io.Namespace("/custom").Handlers, &asking)
	dynamic := regexp.MustCompile(`^/dynamic-\d+$`)
	greet(io.NamespacePattern(func(_ context.Context, name string, _ socketio.Value) bool {
		return dynamic.MatchString(name)
	}).Handlers, &asking)
	members := io.Namespace("/members").Handlers
	members.Use(onlyMembers)
	greet(members, &asking)

	path := "/socket.io/"
	if o.Path != "" {
		path = strings.TrimSuffix(o.Path, "/") + "/"
	}
	return serve(t, path, io, func(ctx context.Context) error {
		err := io.Close(ctx)
		asking.Wait()
		return err
	})
}

// clientVersion returns the version of the client bundle that is served.
func clientVersion(t *testing.T) string {
	data, err := os.ReadFile("../node_modules/socket.io/package.json")
	if err != nil {
		t.Skip("node_modules is missing: npm ci")
	}
	var pkg struct{ Version string }
	if err := json.Unmarshal(data, &pkg); err != nil {
		t.Fatal(err)
	}
	return pkg.Version
}

func onlyMembers(_ context.Context, s *socketio.Socket) error {
	var auth struct {
		Token   string `json:"token"`
		Explain any    `json:"explain"` // as on Node, any value but an empty one
	}
	if err := s.Handshake().Auth.Decode(&auth); err != nil {
		return err
	}
	switch {
	case auth.Token == "secret":
		return nil
	case auth.Explain != nil:
		return &socketio.ConnectError{Message: "not a member", Data: struct {
			Code string   `json:"code"`
			Hint []string `json:"hint"`
		}{"E_MEMBER", []string{"sign up"}}}
	}
	return errors.New("not a member")
}

// greet registers the events that README.md lists.
func greet(h *socketio.Handlers, asking *sync.WaitGroup) {
	on := func(name string, f func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error) {
		h.Handle(name, socketio.HandlerFunc(f))
	}
	h.OnConnect(func(ctx context.Context, s *socketio.Socket) error { return s.Emit(ctx, "auth", s.Handshake().Auth) })
	on("message", func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		return s.Emit(ctx, "message-back", e.Args().Any()...)
	})
	on("message-with-ack", func(_ context.Context, _ *socketio.Socket, e *socketio.Event) error {
		e.Return(e.Args().Any()...)
		return nil
	})
	on("ask", func(_ context.Context, s *socketio.Socket, e *socketio.Event) error {
		asking.Go(func() { // as on Node, the next event does not wait for this one's answer
			if answer, err := s.EmitWithAck(s.Context(), "question", e.Args().Any()...); err == nil {
				s.Emit(s.Context(), "answer", answer.Any()...)
			}
		})
		return nil
	})
	on("repeat", func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		var text string
		var times, messages int
		if err := errors.Join(e.Arg(0).Decode(&text), e.Arg(1).Decode(&times), e.Arg(2).Decode(&messages)); err != nil {
			return err
		}
		for range messages {
			if err := s.Emit(ctx, "repeated", strings.Repeat(text, times)); err != nil {
				return err
			}
		}
		return nil
	})
	on("say", func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		return s.Namespace().Emit(ctx, "said", e.Args().Any()...)
	})
	on("say-volatile", func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		return s.Namespace().All().Volatile().Emit(ctx, "said", e.Args().Any()...)
	})
	on("join", func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		var room string
		if err := e.Arg(0).Decode(&room); err != nil {
			return err
		}
		defer e.Return()
		return s.Join(ctx, room)
	})
	on("say-to", func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		var room string
		if err := e.Arg(0).Decode(&room); err != nil {
			return err
		}
		return s.Namespace().To(room).Emit(ctx, "said", e.Args()[1:].Any()...)
	})
	on("leave", func(_ context.Context, s *socketio.Socket, _ *socketio.Event) error {
		s.Disconnect(false)
		return nil
	})
	on("hang-up", func(_ context.Context, s *socketio.Socket, _ *socketio.Event) error {
		s.Disconnect(true)
		return nil
	})
	on("7", func(ctx context.Context, s *socketio.Socket, e *socketio.Event) error {
		return s.Emit(ctx, "seven", e.Args().Any()...)
	})
}
