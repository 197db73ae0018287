package main

import (
	"strings"
	"time"

	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io/v2/socket"
)

// acked splits the arguments of an event from the function that acknowledges it.
func acked(args []any) ([]any, func(...any)) {
	if len(args) > 0 {
		if ack, ok := args[len(args)-1].(socket.Ack); ok {
			return args[:len(args)-1], func(values ...any) { ack(values, nil) }
		}
	}
	return args, func(...any) {}
}

// kind names what JavaScript calls the type of an argument.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case types.BufferInterface:
		return "binary"
	}
	return "unknown"
}

// serveBasics serves events, acknowledgements in both directions, and binary.
func serveBasics(io *socket.Server, client *socket.Socket) {
	client.On("echo", func(args ...any) { client.Emit("echo-back", args...) })
	client.On("ack", func(args ...any) {
		values, ack := acked(args)
		ack(values...)
		ack("a second acknowledgement is ignored")
	})
	client.On("kinds", func(args ...any) {
		values, ack := acked(args)
		kinds := []string{}
		for _, v := range values {
			kinds = append(kinds, kind(v))
		}
		ack(kinds)
	})
	client.On("binary", func(args ...any) {
		buffer := args[0].(types.BufferInterface)
		client.Emit("binary-back", map[string]any{"inside": buffer, "size": buffer.Len()}, buffer.Bytes(), types.NewBytesBuffer([]byte{1, 2}), strings.NewReader("text"))
		client.Emit("binary-in-struct", struct {
			Inside any `json:"inside"`
		}{args})
	})
	client.On("struct", func(...any) {
		type part struct {
			Name  string    `json:"name"`
			Empty string    `json:"empty,omitempty"`
			Ratio float64   `json:"ratio"`
			Tags  []string  `json:"tags"`
			At    time.Time `json:"at"`
		}
		client.Emit("struct-back", part{Name: "a<b>&c", Ratio: 0.5, Tags: []string{"x"}, At: time.UnixMilli(1500).UTC()}, map[string]int{"n": 1})
	})
	client.On("ask", func(args ...any) {
		values, ack := acked(args)
		client.Emit("question", values[0], func(answer []any, err error) { ack(answer...) })
	})
	client.On("ask-with-ack", func(args ...any) {
		values, ack := acked(args)
		client.EmitWithAck("question", values[0])(func(answer []any, err error) { ack(answer...) })
	})
	client.On("ask-and-wait", func(args ...any) {
		values, ack := acked(args)
		answered := make(chan []any)
		client.Timeout(5*time.Second).Emit("question", values[0], func(answer []any, err error) { answered <- answer })
		ack(<-answered...)
	})
	client.On("ask-in-vain", func(args ...any) {
		_, ack := acked(args)
		client.Timeout(100*time.Millisecond).Emit("silence", func(_ []any, err error) { ack(err != nil) })
	})
	client.On("ask-in-order", func(...any) {
		for i := range 20 {
			client.Emit("step", i*2, func([]any, error) {})
			client.Emit("step", i*2+1)
		}
	})
	client.On("roll-in-order", func(...any) {
		for i := range 20 {
			io.Timeout(time.Second).Emit("step", i*2, func([]any, error) {})
			io.Emit("step", i*2+1)
		}
	})
	client.On("send", func(args ...any) { client.Send(args...) })
	client.On("volatile", func(args ...any) { client.Volatile().Emit("said", args...) })
	client.On("reserved", func(args ...any) {
		_, ack := acked(args)
		ack(client.Emit("disconnect") != nil)
	})
	client.On("handshake", func(args ...any) {
		_, ack := acked(args)
		h := client.Handshake()
		ack(map[string]any{
			"query": first(h.Query, "x"), "header": first(h.Headers, "X-Test"), "auth": h.Auth, "address": h.Address, "secure": h.Secure,
			"path": strings.HasPrefix(h.Url, "/socket.io/?"), "recent": time.Since(time.UnixMilli(h.Issued)) < time.Minute,
			"transport": client.Conn().Transport().Name(), "agent": client.Request().Headers().Peek("User-Agent"), "recovered": client.Recovered(),
		})
	})
	client.On("hang-up", func(args ...any) { client.Disconnect(args[0].(bool)) })
	client.On("disconnecting", func(reason ...any) {
		io.Emit("leaving", client.Id(), reason[0], client.Rooms().Has("early"))
	})
	client.On("disconnect", func(reason ...any) {
		io.Emit("left", client.Id(), reason[0], client.Rooms().Len(), client.Connected())
	})
}
