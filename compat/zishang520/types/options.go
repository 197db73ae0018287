package types

// HttpCompression configures the compression of polling answers.
type HttpCompression struct {
	// Threshold is the size in bytes from which on answers are compressed; 0 means all.
	Threshold int `json:"threshold,omitempty"`
}

// PerMessageDeflate turns on the compression of WebSocket messages.
type PerMessageDeflate struct {
	// Threshold is the size in bytes from which on messages are compressed. Default: 1024.
	Threshold int `json:"threshold,omitempty"`
}

// CodeMessage is why a request was refused, as the client reads it.
type CodeMessage struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
}

// ErrorMessage is the argument of the engine's event "connection_error".
type ErrorMessage struct {
	*CodeMessage
	// Req is the request that was refused.
	Req *HttpContext `json:"req,omitempty"`
	// Context says more about the reason.
	Context map[string]any `json:"context,omitempty"`
}
