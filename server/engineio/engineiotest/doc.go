// Package engineiotest is a client of the Engine.IO protocol, revision 4, for
// tests: it connects over a WebSocket, over HTTP long-polling, or over the
// second and then the first, and fails its test if what it waits for does
// not come. It shares no code with the server that it tests.
//
//	c := engineiotest.Dial(t, srv.URL+"/engine.io/", engineiotest.Options{})
//	c.SendText("hello")
//	if got := c.Text(); got != "hello" {
//		t.Errorf("got %q", got)
//	}
package engineiotest
