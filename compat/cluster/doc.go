// Package cluster tests clusters in which Puente and Node's socket.io, with the
// official adapters and the official emitter, are nodes side by side. The table
// of what is tested is in ../CLUSTER.md. Both kinds of servers do the same, and
// all clients are the official one.
package cluster
