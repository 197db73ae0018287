// Command program is a Socket.IO server that uses most of the library's API.
// server.mjs beside it does the same on Node, and client.test.mjs tests both.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/zishang520/engine.io/v2/log"
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/engine.io/v2/utils"
	"github.com/zishang520/socket.io/v2/socket"
)

func main() {
	log.DEBUG = true
	options := socket.DefaultServerOptions()
	options.SetCors(&types.Cors{Origin: "*", Credentials: true})
	options.SetMaxHttpBufferSize(1e6)
	options.SetTransports(types.NewSet("polling", "websocket"))
	options.SetCleanupEmptyChildNamespaces(true)
	options.SetAllowRequest(func(ctx *types.HttpContext) error {
		if ctx.Query().Peek("forbid") != "" {
			return errors.New("go away")
		}
		return nil
	})
	connectCluster(options)
	httpServer := types.CreateServer(nil)
	io := socket.NewServer(httpServer, options)

	io.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) {
		client.SetData(map[string]any{"name": first(client.Handshake().Query, "name")})
		client.Join("early")
		next(nil)
	})
	io.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) {
		auth, _ := client.Handshake().Auth.(map[string]any)
		go func() { // middleware may answer later
			if reason, ok := auth["refuse"].(string); ok {
				next(socket.NewExtendedError(reason, map[string]any{"code": 7}))
				return
			}
			next(nil)
		}()
	})
	io.On("connection", func(clients ...any) {
		client := clients[0].(*socket.Socket)
		client.Conn().On("upgrade", func(...any) { client.Emit("upgraded", client.Conn().Transport().Name()) })
		client.Conn().Once("close", func(reason ...any) { io.Emit("closed", client.Id(), reason[0]) })
		serveBasics(io, client)
		serveRooms(io, client)
		serveObservers(client)
		serveOthers(io, client)
	})
	serveServerSide(io)

	chat := io.Of("/chat", nil)
	chat.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) {
		if auth, _ := client.Handshake().Auth.(map[string]any); auth["token"] != "secret" {
			next(socket.NewExtendedError("not allowed", nil))
			return
		}
		next(nil)
	})
	chat.On("connection", func(clients ...any) {
		client := clients[0].(*socket.Socket)
		client.Emit("welcome", client.Nsp().Name())
		client.On("say", func(args ...any) { chat.Emit("said", args...) })
	})
	dynamic := io.Of(regexp.MustCompile(`^/dynamic-\d+$`), func(clients ...any) {
		client := clients[0].(*socket.Socket)
		client.Emit("welcome", client.Nsp().Name())
		client.On("say", func(args ...any) { client.Nsp().Emit("said", args...) })
	})
	dynamic.On("connection", func(clients ...any) {
		clients[0].(*socket.Socket).On("say-to-all", func(args ...any) { dynamic.Emit("said", args...) })
	})
	match := func(name string, auth any, next func(error, bool)) {
		fields, _ := auth.(map[string]any)
		next(nil, name == "/by-function" && fields["open"] == true)
	}
	io.Of(socket.ParentNspNameMatchFn(&match), nil).On("connection", func(clients ...any) {
		client := clients[0].(*socket.Socket)
		client.Emit("welcome", client.Nsp().Name())
	})

	httpServer.Listen("127.0.0.1:"+os.Getenv("PORT"), nil)
	fmt.Println("ready")
	utils.Log().Info("listening at port %s", os.Getenv("PORT"))

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	<-stop
	io.Close(nil)
}

func first(values map[string][]string, name string) any {
	if list := values[name]; len(list) > 0 {
		return list[0]
	}
	return nil
}
