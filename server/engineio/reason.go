package engineio

// Reason says why a session ended, with the text of Node's server if it has one.
type Reason string

// The reasons.
const (
	ReasonTransportError Reason = "transport error" // the connection broke or broke the rules
	ReasonTransportClose Reason = "transport close" // the client closed
	ReasonForcedClose    Reason = "forced close"    // Session.Close
	ReasonPingTimeout    Reason = "ping timeout"    // a ping was not answered in time
	ReasonParseError     Reason = "parse error"     // the client sent an invalid packet
	ReasonSlowConsumer   Reason = "slow consumer"   // the client did not take what was queued for it
	ReasonInternalError  Reason = "internal error"  // a method of the Handler panicked
	ReasonShutdown       Reason = "server shutting down"
)
