package socketio

import (
	"fmt"

	"github.com/puente-io/puente/server/socketio/packet"
)

// checkAttachments checks that clients take a packet with attachments. Within
// this server an attachment that is named twice goes out once; each place that
// names one counts, since Node's servers, which get the packet over the cluster,
// send each as an attachment of its own.
func (srv *Server) checkAttachments(data []byte, attachments [][]byte) error {
	most := srv.opts.MaxAttachments
	if len(attachments) > most {
		return fmt.Errorf("%w: %d, and Options.MaxAttachments is %d", ErrAttachments, len(attachments), most)
	}
	n, err := packet.References(data, len(attachments))
	switch {
	case err != nil:
		return fmt.Errorf("%w: an object that passes for a placeholder: %w", ErrEncode, err)
	case n > most:
		return fmt.Errorf("%w: %d, counted at each place, and Options.MaxAttachments is %d", ErrAttachments, n, most)
	}
	return nil
}
