package raw

import (
	"context"
	"strings"
)

// MoveToWebSocket upgrades a client of [Polling] now, whatever is being sent to it.
// url and opts are those that it was connected with. Nothing may be sent meanwhile.
func (c *Client) MoveToWebSocket(url string, opts Options) error {
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	return c.upgrade(ctx, "ws"+strings.TrimPrefix(url, "http")+"/socket.io/?EIO=4&transport=websocket", opts)
}
