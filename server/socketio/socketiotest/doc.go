// Package socketiotest tests programs that use package socketio, as httptest
// does those that use net/http: a server on a loopback address, and a small
// client of the Socket.IO protocol, revision 5, that fails its test where what
// it waits for does not come.
//
//	io := socketio.New(socketio.Options{})
//	srv := socketiotest.NewServer(io)
//	defer srv.Close()
//	c := socketiotest.Dial(t, srv.URL, socketiotest.Options{})
//	c.Emit("join-room", map[string]any{"roomId": 42})
//	c.Expect("room-joined")
//
// Arguments are JSON on both ways; a []byte that is an argument by itself is
// sent as an attachment. The client shares no code with the server, except for
// the names of types.
package socketiotest
