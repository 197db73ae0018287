// Package packet has the options of engine.Socket's Send, by their names in
// github.com/zishang520/engine.io-go-parser/packet.
package packet

// Options says how a message is sent.
type Options struct {
	// Compress is ignored: messages are compressed as the server's options say.
	Compress bool `json:"compress"`
}
