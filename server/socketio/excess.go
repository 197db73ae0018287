package socketio

import (
	"errors"
	"fmt"

	"github.com/puente-io/puente/server/socketio/packet"
)

// refusal returns the error of an event or acknowledgement from a client that
// exceeds a limit, see packet.Packet.Excess.
func (srv *Server) refusal(excess error) error {
	kind, message := ErrArguments, ""
	switch excess {
	case packet.ErrTooDeep:
		message = srv.allowedDepth("arguments")
	case packet.ErrTooManyArguments:
		message = fmt.Sprintf("arguments must be at most %d", srv.opts.MaxArguments)
	case packet.ErrPlaceholder:
		kind, message = ErrAttachments, placeholderText("arguments")
	case packet.ErrAttachmentBytes:
		kind, message = ErrAttachments, fmt.Sprintf("attachments must have at most %d bytes, counted at each place that names one", srv.opts.MaxAttachmentBytes)
	default:
		kind, message = ErrAttachments, fmt.Sprintf("attachments must be at most %d, counted at each place that names one", srv.opts.MaxAttachments)
	}
	return fmt.Errorf("%w: %w: %w", kind, excess, &Error{Code: "invalid", Message: message})
}

func (srv *Server) allowedDepth(what string) string {
	return fmt.Sprintf("%s must be nested %d levels deep at most", what, srv.opts.MaxDepth)
}

func placeholderText(what string) string {
	return what + " must not have the member _placeholder unless attachments follow"
}

// refusedConnect returns the error for a CONNECT with an excess in its payload.
func (srv *Server) refusedConnect(excess error) error {
	message := srv.allowedDepth("auth")
	switch excess {
	case packet.ErrPlaceholder:
		message = placeholderText("auth")
	case packet.ErrReferences: // in MessagePack
		message = fmt.Sprintf("auth must have at most %d binary values", srv.opts.MaxAttachments)
	}
	return &ConnectError{Message: message, Data: map[string]string{"code": "invalid"}}
}

// CheckArgument checks the JSON of an argument that did not come over a
// client's connection. If it is nested more than Options.MaxDepth levels deep,
// it is counted in LimitCounts and CheckArgument returns the error of such an
// event, which wraps ErrArguments and an [Error].
func (srv *Server) CheckArgument(json []byte) error {
	err := srv.checkDepth(json, 0)
	if err != nil {
		srv.limits.refused(err)
	}
	return err
}

// checkDepth checks the nesting of arguments that are inside of some more
// brackets, such as those of a packet's data. It does not count.
func (srv *Server) checkDepth(json []byte, brackets int) error {
	if packet.TooDeep(json, srv.opts.MaxDepth+brackets) {
		return srv.refusal(packet.ErrTooDeep)
	}
	return nil
}

// refused counts what was refused with the error, see packet.Packet.Excess.
func (c *limitCounters) refused(err error) {
	switch {
	case errors.Is(err, packet.ErrTooDeep):
		c.depth.Add(1)
	case errors.Is(err, packet.ErrTooManyArguments):
		c.arguments.Add(1)
	default:
		c.references.Add(1)
	}
}
