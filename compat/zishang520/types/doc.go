// Package types has the types of github.com/zishang520/engine.io/v2/types that
// programs use: collections, buffers, event emitters, CORS options, and the HTTP
// server that socket.Server attaches to.
package types
