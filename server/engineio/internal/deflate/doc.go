// Package deflate is the WebSocket extension permessage-deflate (RFC 7692) without its
// contexts: each message is compressed by itself, in both directions. So no connection
// holds the state of a compressor, and a compressed message is valid for every client.
//
// Compressors and decompressors are large. Of each kind there is at most one for each
// processor that Go uses; a goroutine that needs one waits until another has finished
// its message, which takes no more than computing.
package deflate
