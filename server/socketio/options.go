package socketio

import (
	"io/fs"
	"strings"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/packet"
)

// Options configures a [Server]. The zero value is what socket.io 4.8 on Node
// does by default.
type Options struct {
	// Engine configures transports, heartbeat, limits and CORS.
	Engine engineio.Options
	// Adapter makes the adapter of each namespace. Default: none, the server is
	// alone.
	Adapter adapter.Factory
	// Path is where [Server.Attach] serves the endpoint, without a slash at the
	// end. Default: "/socket.io".
	Path string
	// NoTrailingSlash makes Attach serve the path without the slash behind it
	// too, for clients whose option addTrailingSlash is false. Default: such
	// requests are for others.
	NoTrailingSlash bool
	// ConnectTimeout is how long a client may be connected to no namespace before
	// its session is closed: at its beginning, and when it has left the last one or
	// was disconnected from it. Refused attempts do not count. Default: 45 s.
	ConnectTimeout time.Duration
	// AttachmentTimeout is how long the attachments that a packet has announced
	// may take to come. Default: 45 s.
	AttachmentTimeout time.Duration
	// MaxAttachments bounds the attachments of a packet in both directions. A
	// client that announces more is disconnected. Counted are also the places
	// that name an attachment: an event that names more comes without arguments
	// to the event middleware, and to no handler; its error wraps ErrAttachments
	// and an [Error] that says so. What this server's program emits, or another
	// server broadcasts, with more is not sent, because the official clients
	// disconnect then unless their parser was made with a higher maxAttachments.
	// Default: 10, as theirs.
	MaxAttachments int
	// MaxAttachmentBytes bounds the bytes of the attachments of an event or
	// acknowledgement from a client, each counted at each place that names it;
	// one that has more is refused as one that names too many. Default: any
	// number, as on Node.
	MaxAttachmentBytes int
	// MaxArguments bounds the arguments of an event or acknowledgement from a
	// client. An event with more is refused as one that names too many attachments;
	// its error wraps ErrArguments and an [Error]. Negative: any number.
	// Default: 1000.
	MaxArguments int
	// MaxDepth bounds, in levels, how deeply arrays and objects are nested in an
	// argument from a client. An event with a deeper one is refused as one with too
	// many arguments, and a CONNECT with CONNECT_ERROR. What this server's program
	// sends to other servers with a deeper one is an error, and what they send is
	// dropped. Default: [packet.DefaultMaxDepth], 512.
	MaxDepth int
	// MaxNamespaces bounds the namespaces that one client is connected to: one too
	// many is refused with "Too many namespaces". As many may be decided about at
	// one time; the client is not read while more have been asked for.
	// Default: 100.
	MaxNamespaces int
	// MaxRefusedConnects is how many CONNECTs of a client may be refused within
	// RefusalWindow, which begins with the first: by a middleware, because there is
	// no such namespace, or because of another limit. One more ends its connection
	// with [ReasonRefusals], and the client may come back. Default: any number, as
	// on Node.
	MaxRefusedConnects int
	// RefusalWindow is the time in which they are counted. Default: 60 s.
	RefusalWindow time.Duration
	// MaxPendingEvents and MaxPendingBytes bound the events of a socket that
	// wait for its handlers, of which each counts 64 bytes beside its data. Beyond
	// them the client is not read, and neither its acknowledgements nor its end are
	// seen, until there is room or its heartbeat is overdue. While an
	// acknowledgement of the client is awaited, MaxPendingBytes alone holds; what
	// goes beyond it ends the waiting with ErrBacklog.
	// Default: 256, and 1 MiB.
	MaxPendingEvents, MaxPendingBytes int
	// MaxAnonymousBytes bounds, in bytes, what is kept of a client whom no namespace
	// has accepted yet, see [Namespace.StartAnonymous]: a message or body with what
	// has come of a packet that lacks attachments and with the CONNECTs that are not
	// decided about, and the events that wait for a handler. One that sends a
	// message beyond it is disconnected, once what it has sent before has been
	// handled and has not changed it. Default: 0, no such bound.
	MaxAnonymousBytes int
	// AckTimeout bounds Socket.EmitWithAck if its context has no deadline.
	// Negative: it does not. Default: 30 s.
	AckTimeout time.Duration
	// KeepEmptyNamespaces keeps namespaces that a pattern made when their last
	// socket has left. Default: they are removed.
	KeepEmptyNamespaces bool
	// Bundle, where not nil, has the files of the browser's client, such as
	// socket.io.js, which are served beside the endpoint. BundleVersion is
	// their ETag; without it they have none, and clients fetch them each time.
	Bundle        fs.FS
	BundleVersion string
	// Hooks observe the server.
	Hooks Hooks
}

// Hooks are functions that are called when something happens, by the goroutine
// that it happens to; they must return soon. Those that are nil are not called.
type Hooks struct {
	// PacketError: a client sent what is not a packet, or one that is out of
	// place. Its session is closed.
	PacketError func(s *engineio.Session, err error)
	// Unhandled: nobody handles an event.
	Unhandled func(s *Socket, event string)
	// HandlerError: a function of the program returned an error, or panicked: the
	// error is then an ErrPanic, with the stack. event is the event that was
	// handled, or "" for the other functions: OnConnect, and panics of OnDisconnect,
	// OnError, Use, NamespacePattern, and an adapter's Broadcast. s is nil for the
	// last, for HandleServerSide and for Server.Report. A result that cannot be
	// encoded is an error of its handler, ErrEncode.
	// Default: panics, ErrEncode, errors that OnError's default answers as
	// "internal", and those of HandleServerSide are logged with slog.Default, at
	// level Error.
	HandlerError func(s *Socket, event string, err error)
	// Refused: a middleware refused a connection.
	Refused func(s *Socket, err error)
	// BroadcastDropped: another server's broadcast was not delivered, since
	// its clients may not send or would not take it. The error wraps ErrAttachments
	// or ErrArguments.
	BroadcastDropped func(ns *Namespace, err error)
	// SessionClosed: a client's connection has ended.
	SessionClosed func(s *engineio.Session, reason engineio.Reason, err error)
}

func (o Options) withDefaults() Options {
	if o.Adapter == nil {
		o.Adapter = adapter.NewMemory().Factory()
	}
	if o.Path = strings.TrimRight(o.Path, "/"); o.Path == "" {
		o.Path = "/socket.io"
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 45 * time.Second
	}
	if o.AttachmentTimeout == 0 {
		o.AttachmentTimeout = 45 * time.Second
	}
	if o.MaxAttachments == 0 {
		o.MaxAttachments = packet.DefaultMaxAttachments
	}
	if o.MaxArguments == 0 {
		o.MaxArguments = packet.DefaultMaxArguments
	}
	if o.MaxDepth == 0 {
		o.MaxDepth = packet.DefaultMaxDepth
	}
	if o.MaxNamespaces == 0 {
		o.MaxNamespaces = 100
	}
	if o.RefusalWindow == 0 {
		o.RefusalWindow = time.Minute
	}
	if o.MaxPendingEvents == 0 {
		o.MaxPendingEvents = 256
	}
	if o.MaxPendingBytes == 0 {
		o.MaxPendingBytes = 1 << 20
	}
	if o.AckTimeout == 0 {
		o.AckTimeout = 30 * time.Second
	}
	return o
}
