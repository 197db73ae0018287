// Package cluster tests clusters that mix Puente nodes with Node's socket.io,
// its official Redis adapters and the official emitter. ../CLUSTER.md lists
// what is tested. Both kinds of server have the same behaviour, and all clients
// are the official one.
package cluster
