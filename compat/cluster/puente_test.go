package cluster_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/waittest"
)

// puente is a Puente server with the behaviour of the servers in peer.mjs.
type puente struct {
	io  *socketio.Server
	url string

	mu    sync.Mutex
	notes []string
}

func startPuente(t *testing.T, name string, opts redisadapter.Options) *puente {
	t.Helper()
	opts.Hooks.Malformed = func(channel string, err error) { t.Errorf("malformed message on %s: %v", channel, err) }
	cluster, err := redisadapter.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Close() })
	p := &puente{io: socketio.New(socketio.Options{Adapter: cluster.Factory()})}
	for _, nsp := range []string{"/", "/chat"} {
		p.serve(p.io.Namespace(nsp), name)
	}
	listener := httptest.NewServer(p.io)
	p.url = listener.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
		defer cancel()
		if err := p.io.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		listener.Close()
	})
	return p
}

type data struct {
	Of string `json:"of"`
}

func (p *puente) serve(ns *socketio.Namespace, name string) {
	ns.OnConnect(func(_ context.Context, s *socketio.Socket) error {
		var auth struct {
			Name string `json:"name"`
		}
		if err := s.Handshake().Auth.Decode(&auth); err != nil {
			return err
		}
		s.SetData(data{auth.Name})
		return nil
	})
	ns.Handle("join", socketio.Func(func(ctx context.Context, s *socketio.Socket, rooms []string) (any, error) {
		return nil, s.Join(ctx, rooms...)
	}))
	ns.Handle("leave", socketio.Func(func(_ context.Context, s *socketio.Socket, room string) (any, error) {
		s.Leave(room)
		return nil, nil
	}))
	ns.Handle("rooms", socketio.Func(func(_ context.Context, s *socketio.Socket, _ any) ([]string, error) {
		return without(s.Rooms(), s.ID()), nil
	}))
	ns.HandleServerSide("note", func(_ context.Context, args socketio.Args) (any, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.notes = append(p.notes, packed(args.Any()))
		return nil, nil
	})
	ns.HandleServerSide("question", func(_ context.Context, args socketio.Args) (any, error) {
		return map[string]any{"from": name, "arg": args[0]}, nil
	})
}

// without returns the rooms, sorted, except own.
func without(rooms []string, own string) []string {
	rooms = slices.DeleteFunc(slices.Clone(rooms), func(r string) bool { return r == own })
	slices.Sort(rooms)
	return rooms
}

// do runs a command as peer.mjs does.
func (p *puente) do(t *testing.T, c command) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	ns := p.io.Namespace(cmpOr(c.NSP, "/"))
	to := ns.To(c.Rooms...).Except(c.Except...)
	for _, f := range c.Flags {
		if f == "volatile" {
			to = to.Volatile()
		} else {
			to = to.Compress(false)
		}
	}
	args := unpacked(t, c.Args)
	var result any
	var err error
	switch c.Do {
	case "emit":
		err = to.Emit(ctx, c.Event, args...)
	case "emitWithAck":
		answers, ackErr := to.Timeout(time.Duration(c.Timeout)*time.Millisecond).EmitWithAck(ctx, c.Event, args...)
		if errors.Is(ackErr, adapter.ErrTimeout) {
			return `{"timeout":true,"answers":` + packed(answers.Any()) + `}`
		}
		if ackErr != nil {
			t.Fatalf("emitWithAck: %v", ackErr)
		}
		return packed(answers.Any())
	case "fetchSockets":
		var list []socketio.RemoteSocket
		list, err = to.FetchSockets(ctx)
		infos := []map[string]any{}
		for _, s := range list {
			var handshake map[string]json.RawMessage
			if err := json.Unmarshal(s.Handshake, &handshake); err != nil {
				t.Fatalf("handshake %s: %v", s.Handshake, err)
			}
			keys := []string{}
			for key := range handshake {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			infos = append(infos, map[string]any{
				"id": s.ID, "rooms": without(s.Rooms, s.ID), "data": json.RawMessage(s.Data), "auth": handshake["auth"], "keys": keys,
			})
		}
		result = infos
	case "socketsJoin":
		err = to.Join(ctx, texts(t, c.Args)...)
	case "socketsLeave":
		err = to.Leave(ctx, texts(t, c.Args)...)
	case "disconnectSockets":
		err = to.Disconnect(ctx, true)
	case "serverSideEmit":
		err = ns.ServerSideEmit(ctx, c.Event, args...)
	case "serverSideEmitWithAck":
		answers, askErr := ns.ServerSideEmitWithAck(ctx, c.Event, args...)
		if askErr != nil {
			t.Fatalf("serverSideEmitWithAck: %v", askErr)
		}
		return packed(answers.Any())
	case "serverCount":
		result, err = ns.ServerCount(ctx)
	case "allRooms":
		var rooms []string
		rooms, err = ns.AllRooms(ctx)
		slices.Sort(rooms)
		result = rooms
	case "notes":
		waittest.Until(t, "the notes arrive", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.notes) >= c.N
		})
		return "[" + strings.Join(p.notes, ",") + "]"
	default:
		t.Fatalf("unknown command %s", c.Do)
	}
	if err != nil {
		t.Fatalf("%s: %v", c.Do, err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func texts(t *testing.T, args []json.RawMessage) []string {
	list := make([]string, len(args))
	for i, a := range args {
		if err := json.Unmarshal(a, &list[i]); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// unpacked decodes JSON arguments in which binary values are {"$bin": hex}.
// Arguments without binary values remain JSON text.
func unpacked(t *testing.T, args []json.RawMessage) []any {
	list := make([]any, len(args))
	for i, a := range args {
		if !strings.Contains(string(a), "$bin") {
			list[i] = socketio.Value{JSON: a}
			continue
		}
		var v any
		if err := json.Unmarshal(a, &v); err != nil {
			t.Fatal(err)
		}
		list[i] = unpack(v)
	}
	return list
}

func unpack(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = unpack(v[i])
		}
	case map[string]any:
		if text, ok := v["$bin"].(string); ok {
			b, _ := hex.DecodeString(text)
			return b
		}
		for key := range v {
			v[key] = unpack(v[key])
		}
	}
	return v
}

// packed is the inverse of unpacked.
func packed(values []any) string {
	list := make([]any, len(values))
	for i, v := range values {
		if value, ok := v.(socketio.Value); ok {
			var decoded any
			if err := value.Decode(&decoded); err != nil {
				return "undecodable: " + err.Error()
			}
			v = decoded
		}
		list[i] = pack(v)
	}
	text, _ := json.Marshal(list)
	return string(text)
}

func pack(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{"$bin": hex.EncodeToString(v)}
	case []any:
		for i := range v {
			v[i] = pack(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = pack(v[key])
		}
	}
	return v
}
