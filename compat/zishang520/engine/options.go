package engine

import (
	"io"
	"net/http"

	"github.com/puente-io/puente/compat/zishang520/config"
	"github.com/puente-io/puente/compat/zishang520/transports"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/server/engineio"
)

// engineOptions returns the options for package engineio.
func engineOptions(o config.ServerOptionsInterface) engineio.Options {
	out := engineio.Options{
		AllowProtocol3:    o.AllowEIO3(),
		PingInterval:      o.PingInterval(),
		PingTimeout:       o.PingTimeout(),
		UpgradeTimeout:    o.UpgradeTimeout(),
		MaxHTTPBufferSize: int(o.MaxHttpBufferSize()),
		DisableUpgrades:   o.GetRawAllowUpgrades() != nil && !o.AllowUpgrades(),
		Cookie:            o.Cookie(),
	}
	if t := o.Transports(); t != nil {
		out.DisablePolling, out.DisableWebSocket = !t.Has(transports.POLLING), !t.Has(transports.WEBSOCKET)
	}
	if c := o.HttpCompression(); c != nil {
		out.CompressionThreshold = max(c.Threshold, 1)
	}
	if d := o.PerMessageDeflate(); d != nil {
		out.PerMessageDeflate, out.PerMessageDeflateThreshold = true, d.Threshold
	}
	if r := o.InitialPacket(); r != nil {
		out.InitialPacket, _ = io.ReadAll(r)
	}
	if c := o.Cors(); c != nil {
		out.CORS = c.Engine()
	}
	if allow := o.AllowRequest(); allow != nil {
		out.AllowRequest = func(r *http.Request) error {
			if err := allow(types.NewHttpContext(nil, r)); err != nil {
				return &engineio.Refusal{Message: err.Error()}
			}
			return nil
		}
	}
	return out
}
