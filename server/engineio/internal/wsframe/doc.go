// Package wsframe reads the WebSocket frames of a client from the bytes of its
// connection as they come, and encodes the control frames that answer them (RFC
// 6455). It does no I/O: the caller hands in what it has read, and sends what it
// is given.
package wsframe
