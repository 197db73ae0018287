package engineio

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"time"
)

// Options configures a [Server]. The defaults are those of socket.io 4.8 on Node, except
// for the limits that Node does not have.
//
// In each field 0 is the default. A negative value means what the field's
// documentation says of it or, if it says nothing, the default. So the timeouts, which
// are what ends connections, cannot be turned off.
type Options struct {
	// PingInterval is how long after the last heartbeat the next ping is sent.
	// Default: 25 s.
	PingInterval time.Duration
	// PingTimeout is how long a client may take to answer a ping before its
	// session is closed. In protocol 3, in which the client pings, it is how much more
	// than PingInterval may pass from ping to ping. Default: 20 s.
	PingTimeout time.Duration
	// UpgradeTimeout is how long an upgrade may take from the WebSocket's
	// opening to the upgrade packet. Default: 10 s.
	UpgradeTimeout time.Duration
	// BodyTimeout is how long the body of a POST may take; after it the client
	// gets status 408 and its session ends. Default: 45 s, enough for 1 MB at
	// 180 kbit/s.
	BodyTimeout time.Duration
	// CloseTimeout is how long a closing session waits for its client to take
	// what is queued and to close its side. Default: 30 s.
	CloseTimeout time.Duration

	// MaxHTTPBufferSize bounds, in bytes, a long-polling request body and a
	// WebSocket message; one that is larger ends the session, with status 413
	// or close code 1009. Negative: 2 GiB. Default: 1,000,000.
	MaxHTTPBufferSize int
	// MaxRequestBytes bounds, in bytes, what a session keeps of the request that
	// opened it: it omits the largest headers, or the query, of a larger one. Any
	// client can make a session keep this much from the handshake on. Default: no
	// limit.
	MaxRequestBytes int
	// MaxQueueBytes is how many bytes may be queued to a client before publishers
	// begin to wait for it, see the package documentation. More than MaxBacklogBytes
	// means MaxBacklogBytes, and so does a negative value. Default: 1 MiB.
	MaxQueueBytes int
	// MaxBacklogBytes bounds what is queued to one client: a send that finds more
	// closes the session with [ReasonSlowConsumer]. The send that goes beyond it,
	// of whatever size, is still taken. Negative: no bound. Default: 64 MiB, or
	// MaxQueueBytes if that is more.
	MaxBacklogBytes int
	// MaxTotalQueueBytes bounds what the queues of all clients hold together; a
	// message that is queued to many is held, and counted, once. Beyond it
	// publishers wait, and clients that take nothing are closed with
	// [ReasonSlowConsumer], the one with the most bytes first. Negative: no bound.
	// Default: 256 MiB.
	MaxTotalQueueBytes int
	// SlowTimeout is how long a client may take nothing of what is queued for it
	// before its session is closed with [ReasonSlowConsumer]. A poll, and each step of
	// an upgrade to WebSocket, count as taking something. SlowTimeout also bounds how
	// long a send waits. Default: 10 s.
	SlowTimeout time.Duration

	// MaxSessions limits concurrent sessions; further clients get HTTP status 503.
	// Default: no limit.
	MaxSessions int
	// MaxSessionsPerAddress limits the concurrent sessions of one address, that of
	// http.Request.RemoteAddr; IPv6 addresses count by their first 64 bits. Further
	// clients get status 429. Default: no limit.
	MaxSessionsPerAddress int
	// MaxHandshakesPerAddress limits how many sessions the clients of one address may
	// open per second, after a burst of HandshakeBurstPerAddress; further clients get
	// status 429. Only accepted handshakes count. Default: no limit, and a burst of
	// five times as many.
	MaxHandshakesPerAddress, HandshakeBurstPerAddress int
	// ExemptAddress, if not nil, reports whether the clients of an address
	// are exempt from MaxSessionsPerAddress and from MaxHandshakesPerAddress.
	// client is RemoteAddr's address, without a zone; it is the zero Addr if
	// RemoteAddr is not an IP address, such as that of the peer of a Unix socket.
	ExemptAddress func(client netip.Addr) (fromSessions, fromHandshakes bool)
	// MaxHandshakesPerSecond limits how many sessions all clients together may open
	// per second; further clients get status 429. The limits per address are checked
	// first. Default: no limit.
	MaxHandshakesPerSecond int

	// AllowProtocol3 also accepts clients of protocol 3, those of Socket.IO 1.x and 2.x: as
	// on Node, every handshake whose EIO is not 4. Default: they are refused.
	AllowProtocol3 bool
	// DisablePolling and DisableWebSocket disable a transport.
	DisablePolling, DisableWebSocket bool
	// DisableUpgrades refuses to move a session from polling to WebSocket.
	DisableUpgrades bool
	// CompressionThreshold is the size in bytes from which polling responses
	// are compressed with gzip or deflate, if the client accepts it.
	// Negative: never. Default: 1024.
	CompressionThreshold int
	// PerMessageDeflate compresses WebSocket messages in both directions for the clients
	// that offer it (permessage-deflate, RFC 7692), each message by itself: no connection
	// holds the state of a compressor, and a message to many clients is compressed once.
	// See [Frame.Uncompressed]. Default: off, as on Node.
	PerMessageDeflate bool
	// PerMessageDeflateThreshold is the size in bytes from which messages are compressed
	// for these clients. Negative: all are. Default: 1024.
	PerMessageDeflateThreshold int
	// PerMessageDeflateLevel is how hard to compress, from 1, the fastest, to 9. Default: 1.
	PerMessageDeflateLevel int

	// InitialPacket, if not nil, is a text message that follows the open
	// packet in the handshake response.
	InitialPacket []byte
	// Cookie, if not nil, is set on the handshake response of a polling
	// session with the session id as its value. Default name "io", path "/".
	Cookie *http.Cookie
	// CORS, if not nil, answers preflight requests and sets the headers of
	// all responses, errors included. Default: no CORS header.
	CORS *CORS

	// AllowRequest decides about handshake requests (those without a session
	// id); it may block, and an error refuses the request. The client gets
	// the text of a [*Refusal], and "Forbidden" for any other error.
	AllowRequest func(*http.Request) error
	// CheckOrigin decides about every WebSocket request, upgrades included, by
	// its Origin header. A false return refuses with "Forbidden". Default: all
	// are accepted, as on Node.
	CheckOrigin func(*http.Request) bool
	// InitialHeaders may add headers to the response of a handshake, and
	// Headers to every response; r is the request that is being answered.
	InitialHeaders, Headers func(h http.Header, r *http.Request)
	// Context returns the context whose values a session's handlers see, such as the
	// user that an HTTP middleware has stored there. The session may live longer than
	// the context and keeps a reference to it, and so to all that it refers to. If the
	// function returns nil, the session keeps no context. Default: the context of the
	// request, which takes about 460 bytes.
	Context func(r *http.Request) context.Context
	// NewID returns a new session id on each call, of letters, digits, "-" and "_".
	// Ids must be impossible to guess, because everybody who knows one can send as the
	// client. Default: [NewID].
	NewID func() string

	// Hooks observe the server.
	Hooks Hooks
}

func (o Options) withDefaults() Options {
	orDefault(&o.PingInterval, 25*time.Second)
	orDefault(&o.PingTimeout, 20*time.Second)
	orDefault(&o.UpgradeTimeout, 10*time.Second)
	orDefault(&o.BodyTimeout, 45*time.Second)
	orDefault(&o.CloseTimeout, 30*time.Second)
	orDefault(&o.SlowTimeout, 10*time.Second)
	orUnlimited(&o.MaxHTTPBufferSize, math.MaxInt32)
	orDefault(&o.MaxHTTPBufferSize, 1_000_000)
	orUnlimited(&o.MaxBacklogBytes, unlimitedBytes)
	orUnlimited(&o.MaxTotalQueueBytes, unlimitedBytes)
	orDefault(&o.MaxBacklogBytes, max(64<<20, o.MaxQueueBytes))
	orUnlimited(&o.MaxQueueBytes, o.MaxBacklogBytes)
	orDefault(&o.MaxQueueBytes, 1<<20)
	orDefault(&o.MaxTotalQueueBytes, 256<<20)
	orDefault(&o.HandshakeBurstPerAddress, 5*o.MaxHandshakesPerAddress)
	if o.CompressionThreshold == 0 {
		o.CompressionThreshold = 1024
	}
	if o.PerMessageDeflateThreshold == 0 {
		o.PerMessageDeflateThreshold = 1024
	}
	orDefault(&o.PerMessageDeflateLevel, 1)
	o.PerMessageDeflateLevel = min(o.PerMessageDeflateLevel, 9)
	if o.Context == nil {
		o.Context = (*http.Request).Context
	}
	if o.NewID == nil {
		o.NewID = NewID
	}
	if o.Cookie != nil {
		c := *o.Cookie
		if c.Name == "" {
			c.Name = "io"
		}
		if c.Path == "" {
			c.Path = "/"
		}
		o.Cookie = &c
	}
	return o
}

// unlimitedBytes is more than there can be, with room for sums.
const unlimitedBytes = math.MaxInt / 4

// orDefault sets an option that is 0 or less to its default.
func orDefault[T int | time.Duration](option *T, value T) {
	if *option <= 0 {
		*option = value
	}
}

// orUnlimited sets an option that is less than 0 to a value that limits nothing.
func orUnlimited(option *int, value int) {
	if *option < 0 {
		*option = value
	}
}
