package socketio

import (
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Options configures a [Server]. The defaults are those of socket.io 4.8 on Node, except
// for the limits that Node does not have, KeepEmptyNamespaces, and Bundle.
//
// In each field 0 is the default. A negative value means what the field's
// documentation says of it or, if it says nothing, the default.
type Options struct {
	// Engine configures transports, heartbeat, limits and CORS.
	Engine engineio.Options
	// Adapter makes the adapter of each namespace. Default: a server without a
	// cluster.
	Adapter adapter.Factory
	// Path is where [Server.Attach] serves the endpoint, without a trailing
	// slash. Default: "/socket.io".
	Path string
	// NoTrailingSlash makes Attach also serve Path without a trailing slash, for
	// clients with addTrailingSlash: false. Default: such requests go to
	// the next handler.
	NoTrailingSlash bool
	// ConnectTimeout is how long a session may stay open without a connected
	// namespace: at its start, and after the client has left or was
	// disconnected from its last one. Refused attempts do not extend it.
	// Default: 45 s.
	ConnectTimeout time.Duration
	// AttachmentTimeout is how long a client may take to send the attachments
	// of a packet. Default: 45 s.
	AttachmentTimeout time.Duration
	// MaxAttachments bounds the attachments of a packet in both directions, and
	// the placeholders that name an attachment. Negative: no limit. Default: 10,
	// as in the official clients.
	//
	// A client that announces more attachments is disconnected. If only the
	// placeholders are too many, the event reaches the event middleware without
	// arguments, and no handler; its error wraps ErrAttachments and an [Error]
	// with the limit. Emit returns an error for an event with more, and such an
	// event of another server is dropped, because the official clients would
	// disconnect unless their parser has a higher maxAttachments.
	MaxAttachments int
	// MaxAttachmentBytes bounds the bytes of the attachments of an event or
	// acknowledgement from a client, counted once per placeholder. A larger one
	// is refused like one with too many placeholders. Default: no limit, as on
	// Node.
	MaxAttachmentBytes int
	// MaxArguments bounds the arguments of an event or acknowledgement from a
	// client. An event with more is refused like one with too many
	// placeholders; its error wraps ErrArguments and an [Error]. Negative: no
	// limit. Default: 1000.
	MaxArguments int
	// MaxDepth bounds how many levels deep arrays and objects may be nested in
	// an argument from a client. An event with a deeper one is refused like one
	// with too many arguments, a CONNECT with CONNECT_ERROR. Sending a deeper
	// one to other servers is an error; one that they send is dropped. Default:
	// [packet.DefaultMaxDepth], 512.
	MaxDepth int
	// MaxNamespaces bounds how many namespaces one client is connected to; the
	// next is refused with "Too many namespaces". It also bounds the pending
	// CONNECTs: the client is not read while there are more. Negative: no limit.
	// Default: 100.
	MaxNamespaces int
	// MaxRefusedConnects is how many CONNECTs of a client may be refused within
	// RefusalWindow, for whatever reason: by a middleware, because the
	// namespace does not exist, or because of another limit. One more closes
	// its connection with [ReasonRefusals]; the client may reconnect. Default:
	// no limit, as on Node.
	MaxRefusedConnects int
	// RefusalWindow is the period of MaxRefusedConnects; it starts with the
	// first refusal. Default: 60 s.
	RefusalWindow time.Duration
	// MaxPendingEvents and MaxPendingBytes bound the events of a socket that
	// wait for its handlers; each event counts 64 bytes more than its data.
	// When the queue is full, the server stops reading from the client, and does
	// not see its acknowledgements and disconnect, until there is room or the
	// session ends because of its heartbeat, see the package documentation. While
	// the server waits for an acknowledgement of the client only
	// MaxPendingBytes applies; when it is exceeded the wait ends with
	// ErrBacklog. Negative: no limit. Default: 256, and 1 MiB.
	MaxPendingEvents, MaxPendingBytes int
	// MaxAnonymousBytes bounds the bytes that the server keeps of an anonymous
	// client: one that is connected to no namespace, or only with anonymous
	// sockets, see [Namespace.StartAnonymous]. The bound applies separately to the
	// message or body that is being received, together with incomplete packets and
	// pending CONNECTs; to the events of a socket that wait for its handlers; and
	// to the answers that the client has not taken. A client that sends a larger
	// message is disconnected if it is still anonymous when everything before the
	// message has been handled. Default: 0, no limit.
	MaxAnonymousBytes int
	// AckTimeout is how long Socket.EmitWithAck waits if its context has no
	// deadline. Negative: no limit. Default: 30 s.
	AckTimeout time.Duration
	// KeepEmptyNamespaces keeps namespaces of a pattern after their last socket
	// has disconnected. Default: they are removed.
	KeepEmptyNamespaces bool
	// Recovery configures the recovery of connections. Default: none, as on Node.
	Recovery RecoveryOptions
	// Bundle, if not nil, has the files of the browser client, such as
	// socket.io.js, which are served below the endpoint. BundleVersion is their
	// ETag; without it they have none, and browsers fetch them each time.
	Bundle        fs.FS
	BundleVersion string
	// Hooks observe the server; Engine.Hooks observe its sessions.
	Hooks Hooks
}

func (o Options) withDefaults() Options {
	if o.Adapter == nil {
		o.Adapter = adapter.NewMemory().Factory()
	}
	if o.Path = strings.TrimRight(o.Path, "/"); o.Path == "" {
		o.Path = "/socket.io"
	}
	orDefault(&o.ConnectTimeout, 45*time.Second)
	orDefault(&o.AttachmentTimeout, 45*time.Second)
	orDefault(&o.RefusalWindow, time.Minute)
	for _, limit := range []*int{&o.MaxAttachments, &o.MaxArguments, &o.MaxNamespaces, &o.MaxPendingEvents} {
		if *limit < 0 {
			*limit = unlimited
		}
	}
	if o.MaxPendingBytes < 0 {
		o.MaxPendingBytes = math.MaxInt / 4
	}
	orDefault(&o.MaxAttachments, packet.DefaultMaxAttachments)
	orDefault(&o.MaxArguments, packet.DefaultMaxArguments)
	orDefault(&o.MaxDepth, packet.DefaultMaxDepth)
	orDefault(&o.MaxNamespaces, 100)
	orDefault(&o.MaxPendingEvents, 256)
	orDefault(&o.MaxPendingBytes, 1<<20)
	o.MaxAttachmentBytes, o.MaxAnonymousBytes = max(o.MaxAttachmentBytes, 0), max(o.MaxAnonymousBytes, 0)
	orDefault(&o.Recovery.MaxBytes, 64<<20)
	if o.AckTimeout == 0 {
		o.AckTimeout = 30 * time.Second
	}
	return o
}

// unlimited is more than a client can send, with room for a further digit.
const unlimited = math.MaxInt32 / 16

// orDefault sets an option that is 0 or less to its default.
func orDefault[T int | int64 | time.Duration](option *T, value T) {
	if *option <= 0 {
		*option = value
	}
}
