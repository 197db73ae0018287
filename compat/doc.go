// Package compat holds the black-box conformance tests: transcripts of Node's Socket.IO server that are replayed
// against Node and against Puente. README.md describes their format.
package compat
