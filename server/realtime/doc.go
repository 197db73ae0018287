// Package realtime is the documented service: users with their devices, rooms,
// notifications and updates over a Socket.IO namespace.
//
//	handlers ──► Service ──► socketio.Namespace   who gets what
//	httpapi  ──►    │   └──► presence.Presence    who is where, cluster-wide
//	programs ──►    └──────► auth.Verifier, Policy, limits
//
// A socket belongs to a user from the moment its token has been verified. It is
// then a device of that user: a member of the Socket.IO room user:<userId>, and
// of room:<roomId> for each room that it joins; other servers of the cluster and
// backends that publish to these names reach the same people.
//
// What the Service says of users and rooms is read from memory and holds for the
// whole cluster, behind by what a message between nodes takes. Publishing
// returns when all local recipients have the message queued and the cluster has
// accepted it.
//
// The methods of the Service are for the program, which may do anything: the
// rights of clients and their limits are checked before, by what the package
// installs in the namespace and by the handlers.
package realtime
