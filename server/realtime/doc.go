// Package realtime implements the service that handlers/README.md describes: users with
// their devices, rooms, notifications and updates over a Socket.IO namespace. The events
// of that page are the documented events.
//
//	handlers ──► Service ──► socketio.Namespace   delivery
//	httpapi  ──►    │   └──► presence.Presence    users and rooms, cluster-wide
//	programs ──►    └──────► auth.Verifier, Policy, limits
//
// A socket belongs to a user once its token has been verified. It is then a
// device of that user: a member of the Socket.IO room user:<userId>, and of
// room:<roomId> for each room that it joins. Other servers of the cluster, and
// backends, can publish to these names.
//
// Queries about users and rooms read local memory and cover the whole cluster;
// they lag by the time that a message between nodes takes. Publishing returns
// when the message is queued for all local recipients and the cluster has
// accepted it or cannot be reached, which [Service.ClusterDrops] counts.
//
// The methods of the Service trust their caller: the rights and limits of clients
// are checked earlier, by the middleware that New installs and by the handlers. That
// middleware also guards the events that the program adds to the namespace: they count
// for the user's limit, and need a user unless [Options.Public] names them. In another
// namespace of the program, [Authenticate] checks tokens and [ClaimsOf] returns their
// claims.
package realtime
