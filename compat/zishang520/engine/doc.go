// Package engine has the API of github.com/zishang520/engine.io/v2/engine that
// programs use, on top of Puente's server/engineio: a server that emits "connection"
// with a [Socket], and sockets that emit "message" and "close".
package engine
