// Package notepack turns JSON with placeholders for attachments into MessagePack
// and back, in the dialect of notepack.io, which Node's adapters and emitters
// write and read.
//
//	JSON                               MessagePack
//	{"_placeholder":true,"num":0}  ⇄  bin 8, 16 or 32 with attachment 0
//	1, 1.0, 1e0                    →  fixint, uint or int: integral numbers below 2^64
//	1.5, 1e300                     ⇄  float 64
//	1                              ←  any int, uint, or float with an integral value
//	null                           ←  nil, "undefined" (fixext 1 of type 0), NaN, ±Inf
//	"2024-12-20T15:30:00.000Z"     ←  timestamps (ext -1, and fixext 8 of type 0)
//	binary                         ←  ArrayBuffer (ext of type 0)
//	[type,binary]                  ←  any other ext
//
// Both directions read their input once and build no Go values for its parts.
package notepack

import "errors"

// MaxDepth bounds the nesting of arrays and objects.
const MaxDepth = 1000

// maxAttachments bounds the binary values of a message: each costs some memory
// however short it is.
const maxAttachments = 1 << 16

// Errors of both directions.
var (
	ErrSyntax      = errors.New("notepack: malformed")
	ErrDepth       = errors.New("notepack: nested too deeply")
	ErrAttachments = errors.New("notepack: placeholders and attachments do not match")
)
