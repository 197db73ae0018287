package socketio

// Reason says why a socket disconnected, with the text of Node's server if it has one.
// Besides the constants below it can be any engineio.Reason.
type Reason string

// Reasons other than the transport's.
const (
	ReasonClientDisconnect Reason = "client namespace disconnect" // the client left the namespace
	ReasonServerDisconnect Reason = "server namespace disconnect" // Socket.Disconnect
	ReasonTakenOver        Reason = "taken over"                  // the client has come back over another connection, see RecoveryOptions
	ReasonShutdown         Reason = "server shutting down"
	ReasonRefusals         Reason = "too many refused connects" // Options.MaxRefusedConnects
)
