package raw

import (
	"context"
	"strings"
)

// MoveToWebSocket upgrades a [Polling] client, even while the server sends to it. url
// and opts must be those of Connect. The client must not send meanwhile.
func (c *Client) MoveToWebSocket(url string, opts Options) error {
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	return c.upgrade(ctx, "ws"+strings.TrimPrefix(url, "http")+"/socket.io/?EIO=4&transport=websocket", opts)
}
