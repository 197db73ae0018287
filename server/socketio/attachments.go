package socketio

import (
	"fmt"

	"github.com/puente-io/puente/server/socketio/packet"
)

// checkAttachments checks that clients accept a packet's attachments. This
// server sends an attachment that is named twice once, but Node's servers,
// which may get the packet over the cluster, send it once per placeholder; so
// placeholders count.
func (srv *Server) checkAttachments(data []byte, attachments [][]byte) error {
	most := srv.opts.MaxAttachments
	if len(attachments) > most {
		return fmt.Errorf("%w: %d, Options.MaxAttachments is %d", ErrAttachments, len(attachments), most)
	}
	n, err := packet.References(data, len(attachments))
	switch {
	case err != nil:
		return fmt.Errorf("%w: an object looks like a placeholder: %w", ErrEncode, err)
	case n > most:
		return fmt.Errorf("%w: %d, counted once per placeholder, Options.MaxAttachments is %d", ErrAttachments, n, most)
	}
	return nil
}
