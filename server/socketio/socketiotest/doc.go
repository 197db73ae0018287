// Package socketiotest helps to test programs that use package socketio, as
// httptest does for net/http: a server on a loopback address, and a small client
// of the Socket.IO protocol, revision 5, that fails its test if an expected packet
// does not arrive.
//
//	io := socketio.New(socketio.Options{})
//	srv := socketiotest.NewServer(io)
//	defer srv.Close()
//	c := socketiotest.Dial(t, srv.URL, socketiotest.Options{})
//	c.Emit("join-room", map[string]any{"roomId": 42})
//	c.Expect("room-joined")
//
// Expect takes the next event; Await the next one of a name, and Ignore drops those
// that do not matter. Several clients may wait for each other: Send sends an event
// whose acknowledgement the test asks for later.
//
//	asked := ana.Send("whisper", "ben", "hello")
//	ben.Ack(ben.Await("whispered"), "read")
//	answer := asked.Ack()
//
// Arguments are JSON in both directions. A []byte that is an argument itself is
// sent as an attachment. The client shares no code with the server, so a mistake in
// one is not hidden by the same mistake in the other.
package socketiotest
