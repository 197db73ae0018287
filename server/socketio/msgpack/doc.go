// Package msgpack encodes and decodes Socket.IO packets as socket.io-msgpack-parser
// does: each packet is one binary message, a MessagePack map.
//
//	type   0 CONNECT, 1 DISCONNECT, 2 EVENT, 3 ACK, 4 CONNECT_ERROR
//	data   CONNECT: a map, or nothing; CONNECT_ERROR: a map; EVENT, ACK: an array
//	id     of an event that is to be acknowledged, and of its ACK
//	nsp    the namespace
//
// The keys may have any order, and others are ignored. Binary values are in the data,
// so there are neither attachments beside the packet nor types for binary packets.
//
// Package [packet] has the same packets as JSON with attachments; this one converts
// them, in one pass and without building values of them:
//
//	MessagePack                      JSON
//	int, uint of up to 64 bits    ⇄  a number with all its digits
//	float 32, float 64            →  the shortest number; NaN and infinities: null
//	float 64                      ←  fractions, and what is beyond 64 bits
//	str                           ⇄  a string; invalid UTF-8 is replaced, as on Node
//	bin, ArrayBuffer              →  a placeholder and an attachment
//	bin                           ←  a placeholder and its attachment
//	Date, timestamp               →  a string as Date.toISOString returns it
//	undefined                     →  null in an array; nothing as a member of a map
//	any other ext                 →  [type, placeholder], as Node decodes it
//	a key that is a number        →  a string
//
// A text is at most 6 times as long as the packet: 0xc2 is "false" and a comma. Its length
// is computed before it is allocated.
package msgpack
