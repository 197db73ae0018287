package main

import (
	"slices"
	"time"

	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io/v2/socket"
)

func sorted[T ~string](set *types.Set[T]) []string {
	list := []string{}
	for _, v := range set.Keys() {
		list = append(list, string(v))
	}
	slices.Sort(list)
	return list
}

func room(v any) socket.Room { return socket.Room(v.(string)) }

// serveRooms serves rooms, broadcasts and sockets of other clients.
func serveRooms(io *socket.Server, client *socket.Socket) {
	client.On("join", func(args ...any) {
		values, ack := acked(args)
		for _, v := range values {
			client.Join(room(v))
		}
		ack(sorted(client.Rooms()))
	})
	client.On("leave", func(args ...any) {
		values, ack := acked(args)
		client.Leave(room(values[0]))
		ack(sorted(client.Rooms()))
	})
	client.On("rooms", func(args ...any) {
		_, ack := acked(args)
		size := 0
		if members, ok := io.Sockets().Adapter().Rooms().Load("early"); ok {
			size = members.Len()
		}
		_, known := io.Sockets().Sockets().Load(client.Id())
		ack(size > 0, known)
	})

	client.On("to", func(args ...any) { client.To(room(args[0])).Emit("said", args[1]) })
	client.On("broadcast", func(args ...any) { client.Broadcast().Emit("said", args...) })
	client.On("except", func(args ...any) { client.Except(room(args[0])).Emit("said", args[1]) })
	client.On("io", func(args ...any) { io.Emit("said", args...) })
	client.On("io-to", func(args ...any) { io.To(room(args[0])).To(room(args[1])).Emit("said", args[2]) })
	client.On("io-except", func(args ...any) { io.To(room(args[0])).Except(room(args[1])).Emit("said", args[2]) })
	client.On("io-local", func(args ...any) { io.Local().Volatile().Compress(false).Emit("said", args...) })

	client.On("roll-call", func(args ...any) {
		values, ack := acked(args)
		wait := time.Duration(values[1].(float64)) * time.Millisecond
		io.In(room(values[0])).Timeout(wait).Emit("name?", func(answers []any, err error) {
			list := []string{}
			for _, a := range answers {
				list = append(list, a.(string))
			}
			slices.Sort(list)
			ack(list, err == nil)
		})
	})
	client.On("fetch", func(args ...any) {
		values, ack := acked(args)
		io.In(room(values[0])).FetchSockets()(func(sockets []*socket.RemoteSocket, err error) {
			list := []map[string]any{}
			for _, s := range sockets {
				list = append(list, map[string]any{
					"id": s.Id(), "rooms": sorted(s.Rooms()), "data": s.Data(), "query": first(s.Handshake().Query, "x"), "header": first(s.Handshake().Headers, "X-Test"),
				})
			}
			slices.SortFunc(list, func(a, b map[string]any) int {
				if a["id"].(socket.SocketId) < b["id"].(socket.SocketId) {
					return -1
				}
				return 1
			})
			ack(list, err == nil)
		})
	})
	client.On("remote", func(args ...any) {
		values, ack := acked(args)
		io.In(room(values[0])).FetchSockets()(func(sockets []*socket.RemoteSocket, _ error) {
			for _, s := range sockets {
				switch values[1] {
				case "emit":
					s.Emit("said", values[2])
				case "join":
					s.Join(room(values[2]))
				case "leave":
					s.Leave(room(values[2]))
				case "disconnect":
					s.Disconnect(false)
				}
			}
			ack(len(sockets))
		})
	})
	client.On("sockets-join", func(args ...any) { io.In(room(args[0])).SocketsJoin(room(args[1])) })
	client.On("sockets-leave", func(args ...any) { io.In(room(args[0])).SocketsLeave(room(args[1])) })
	client.On("disconnect-sockets", func(args ...any) { io.In(room(args[0])).DisconnectSockets(args[1].(bool)) })
}
