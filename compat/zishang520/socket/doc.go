// Package socket has the API of github.com/zishang520/socket.io/v2/socket on top of
// Puente's server/socketio, so that a program moves by changing its import lines. The
// README of the module says which lines, and what differs.
//
//	io := socket.NewServer(nil, nil)
//	io.On("connection", func(clients ...any) {
//		client := clients[0].(*socket.Socket)
//		client.On("message", func(args ...any) { client.Emit("message-back", args...) })
//	})
//	http.Handle("/socket.io/", io.ServeHandler(nil))
//
// # Arguments
//
// Listeners get what encoding/json decodes into an any: float64, string, bool, nil,
// []any, map[string]any. A binary attachment is a *types.BytesBuffer. If the sender
// waits for an acknowledgement the last argument is an Ack.
//
// Arguments are encoded as encoding/json does, but a []byte, a *types.BytesBuffer and
// any other io.Reader are sent as binary attachments: as an argument, and at any depth
// of []any and map[string]any. A *types.StringBuffer and a *strings.Reader are texts.
//
// # Concurrency
//
// Everything is safe for concurrent use. The listeners of one socket run one at a
// time, in the order of its events; those of different sockets run concurrently.
// Acknowledgements run on goroutines of their own, so that a listener may wait for
// one. A panic in a listener is recovered and logged.
package socket
