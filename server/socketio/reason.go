package socketio

// Reason tells why a socket disconnected, in the words of Node's server where
// it has a word for it. Besides these it can be any of package engineio's.
type Reason string

// The reasons that are not the transport's.
const (
	ReasonClientDisconnect Reason = "client namespace disconnect" // the client left the namespace
	ReasonServerDisconnect Reason = "server namespace disconnect" // Socket.Disconnect
	ReasonShutdown         Reason = "server shutting down"
	ReasonRefusals         Reason = "too many refused connects" // Options.MaxRefusedConnects
)
