package config

import (
	"io"
	"net/http"
	"time"

	"github.com/puente-io/puente/compat/zishang520/types"
)

// AllowRequest decides about a handshake. The client gets the text of an error.
type AllowRequest func(*types.HttpContext) error

// ServerOptionsInterface is implemented by ServerOptions.
type ServerOptionsInterface interface {
	SetPingTimeout(time.Duration)
	GetRawPingTimeout() *time.Duration
	PingTimeout() time.Duration
	SetPingInterval(time.Duration)
	GetRawPingInterval() *time.Duration
	PingInterval() time.Duration
	SetUpgradeTimeout(time.Duration)
	GetRawUpgradeTimeout() *time.Duration
	UpgradeTimeout() time.Duration
	SetMaxHttpBufferSize(int64)
	GetRawMaxHttpBufferSize() *int64
	MaxHttpBufferSize() int64
	SetAllowRequest(AllowRequest)
	GetRawAllowRequest() AllowRequest
	AllowRequest() AllowRequest
	SetTransports(*types.Set[string])
	GetRawTransports() *types.Set[string]
	Transports() *types.Set[string]
	SetAllowUpgrades(bool)
	GetRawAllowUpgrades() *bool
	AllowUpgrades() bool
	SetPerMessageDeflate(*types.PerMessageDeflate)
	GetRawPerMessageDeflate() *types.PerMessageDeflate
	PerMessageDeflate() *types.PerMessageDeflate
	SetHttpCompression(*types.HttpCompression)
	GetRawHttpCompression() *types.HttpCompression
	HttpCompression() *types.HttpCompression
	SetInitialPacket(io.Reader)
	GetRawInitialPacket() io.Reader
	InitialPacket() io.Reader
	SetCookie(*http.Cookie)
	GetRawCookie() *http.Cookie
	Cookie() *http.Cookie
	SetCors(*types.Cors)
	GetRawCors() *types.Cors
	Cors() *types.Cors
	SetAllowEIO3(bool)
	GetRawAllowEIO3() *bool
	AllowEIO3() bool
}

// ServerOptions configures an Engine.IO server. The zero value has the defaults.
type ServerOptions struct {
	pingTimeout       *time.Duration
	pingInterval      *time.Duration
	upgradeTimeout    *time.Duration
	maxHttpBufferSize *int64
	allowRequest      AllowRequest
	transports        *types.Set[string]
	allowUpgrades     *bool
	perMessageDeflate *types.PerMessageDeflate
	httpCompression   *types.HttpCompression
	initialPacket     io.Reader
	cookie            *http.Cookie
	cors              *types.Cors
	allowEIO3         *bool
}

// DefaultServerOptions returns options with the defaults.
func DefaultServerOptions() *ServerOptions { return &ServerOptions{} }

// Assign copies the options that data has set.
func (s *ServerOptions) Assign(data ServerOptionsInterface) ServerOptionsInterface {
	if data == nil {
		return s
	}
	if data.GetRawPingTimeout() != nil {
		s.SetPingTimeout(data.PingTimeout())
	}
	if data.GetRawPingInterval() != nil {
		s.SetPingInterval(data.PingInterval())
	}
	if data.GetRawUpgradeTimeout() != nil {
		s.SetUpgradeTimeout(data.UpgradeTimeout())
	}
	if data.GetRawMaxHttpBufferSize() != nil {
		s.SetMaxHttpBufferSize(data.MaxHttpBufferSize())
	}
	if data.GetRawAllowRequest() != nil {
		s.SetAllowRequest(data.AllowRequest())
	}
	if data.GetRawTransports() != nil {
		s.SetTransports(data.Transports())
	}
	if data.GetRawAllowUpgrades() != nil {
		s.SetAllowUpgrades(data.AllowUpgrades())
	}
	if data.GetRawPerMessageDeflate() != nil {
		s.SetPerMessageDeflate(data.PerMessageDeflate())
	}
	if data.GetRawHttpCompression() != nil {
		s.SetHttpCompression(data.HttpCompression())
	}
	if data.GetRawInitialPacket() != nil {
		s.SetInitialPacket(data.InitialPacket())
	}
	if data.GetRawCookie() != nil {
		s.SetCookie(data.Cookie())
	}
	if data.GetRawCors() != nil {
		s.SetCors(data.Cors())
	}
	if data.GetRawAllowEIO3() != nil {
		s.SetAllowEIO3(data.AllowEIO3())
	}
	return s
}

// SetPingTimeout sets how long a client may take to answer a ping. Default: 20 s.
func (s *ServerOptions) SetPingTimeout(v time.Duration) { s.pingTimeout = &v }

// GetRawPingTimeout returns what SetPingTimeout has set, or nil.
func (s *ServerOptions) GetRawPingTimeout() *time.Duration { return s.pingTimeout }

// PingTimeout returns what SetPingTimeout has set, or the zero value.
func (s *ServerOptions) PingTimeout() time.Duration { return get(s.pingTimeout) }

// SetPingInterval sets how often clients are pinged. Default: 25 s.
func (s *ServerOptions) SetPingInterval(v time.Duration) { s.pingInterval = &v }

// GetRawPingInterval returns what SetPingInterval has set, or nil.
func (s *ServerOptions) GetRawPingInterval() *time.Duration { return s.pingInterval }

// PingInterval returns what SetPingInterval has set, or the zero value.
func (s *ServerOptions) PingInterval() time.Duration { return get(s.pingInterval) }

// SetUpgradeTimeout sets how long an upgrade to WebSocket may take. Default: 10 s.
func (s *ServerOptions) SetUpgradeTimeout(v time.Duration) { s.upgradeTimeout = &v }

// GetRawUpgradeTimeout returns what SetUpgradeTimeout has set, or nil.
func (s *ServerOptions) GetRawUpgradeTimeout() *time.Duration { return s.upgradeTimeout }

// UpgradeTimeout returns what SetUpgradeTimeout has set, or the zero value.
func (s *ServerOptions) UpgradeTimeout() time.Duration { return get(s.upgradeTimeout) }

// SetMaxHttpBufferSize sets how large a message of a client may be, in bytes. Default: 1,000,000.
func (s *ServerOptions) SetMaxHttpBufferSize(v int64) { s.maxHttpBufferSize = &v }

// GetRawMaxHttpBufferSize returns what SetMaxHttpBufferSize has set, or nil.
func (s *ServerOptions) GetRawMaxHttpBufferSize() *int64 { return s.maxHttpBufferSize }

// MaxHttpBufferSize returns what SetMaxHttpBufferSize has set, or the zero value.
func (s *ServerOptions) MaxHttpBufferSize() int64 { return get(s.maxHttpBufferSize) }

// SetAllowRequest sets the function that decides about handshakes; the client gets
// the text of its error.
func (s *ServerOptions) SetAllowRequest(v AllowRequest) { s.allowRequest = v }

// GetRawAllowRequest returns what SetAllowRequest has set, or nil.
func (s *ServerOptions) GetRawAllowRequest() AllowRequest { return s.allowRequest }

// AllowRequest returns what SetAllowRequest has set, or the zero value.
func (s *ServerOptions) AllowRequest() AllowRequest { return s.allowRequest }

// SetTransports sets the allowed transports. Default: "polling" and "websocket"; others are
// ignored.
func (s *ServerOptions) SetTransports(v *types.Set[string]) { s.transports = v }

// GetRawTransports returns what SetTransports has set, or nil.
func (s *ServerOptions) GetRawTransports() *types.Set[string] { return s.transports }

// Transports returns what SetTransports has set, or the zero value.
func (s *ServerOptions) Transports() *types.Set[string] { return s.transports }

// SetAllowUpgrades sets whether sessions may change from polling to WebSocket. Default: true.
func (s *ServerOptions) SetAllowUpgrades(v bool) { s.allowUpgrades = &v }

// GetRawAllowUpgrades returns what SetAllowUpgrades has set, or nil.
func (s *ServerOptions) GetRawAllowUpgrades() *bool { return s.allowUpgrades }

// AllowUpgrades returns what SetAllowUpgrades has set, or the zero value.
func (s *ServerOptions) AllowUpgrades() bool { return get(s.allowUpgrades) }

// SetPerMessageDeflate compresses WebSocket messages for clients that offer it. Default: off.
func (s *ServerOptions) SetPerMessageDeflate(v *types.PerMessageDeflate) { s.perMessageDeflate = v }

// GetRawPerMessageDeflate returns what SetPerMessageDeflate has set, or nil.
func (s *ServerOptions) GetRawPerMessageDeflate() *types.PerMessageDeflate {
	return s.perMessageDeflate
}

// PerMessageDeflate returns what SetPerMessageDeflate has set, or the zero value.
func (s *ServerOptions) PerMessageDeflate() *types.PerMessageDeflate { return s.perMessageDeflate }

// SetHttpCompression sets the compression of polling answers. Default: from 1024 bytes on.
func (s *ServerOptions) SetHttpCompression(v *types.HttpCompression) { s.httpCompression = v }

// GetRawHttpCompression returns what SetHttpCompression has set, or nil.
func (s *ServerOptions) GetRawHttpCompression() *types.HttpCompression { return s.httpCompression }

// HttpCompression returns what SetHttpCompression has set, or the zero value.
func (s *ServerOptions) HttpCompression() *types.HttpCompression { return s.httpCompression }

// SetInitialPacket sets a text message that is sent with the handshake.
func (s *ServerOptions) SetInitialPacket(v io.Reader) { s.initialPacket = v }

// GetRawInitialPacket returns what SetInitialPacket has set, or nil.
func (s *ServerOptions) GetRawInitialPacket() io.Reader { return s.initialPacket }

// InitialPacket returns what SetInitialPacket has set, or the zero value.
func (s *ServerOptions) InitialPacket() io.Reader { return s.initialPacket }

// SetCookie sets the cookie with the session id that polling handshakes set. Default: none.
func (s *ServerOptions) SetCookie(v *http.Cookie) { s.cookie = v }

// GetRawCookie returns what SetCookie has set, or nil.
func (s *ServerOptions) GetRawCookie() *http.Cookie { return s.cookie }

// Cookie returns what SetCookie has set, or the zero value.
func (s *ServerOptions) Cookie() *http.Cookie { return s.cookie }

// SetCors sets which pages of other origins may talk to the server. Default: none by polling, all
// by WebSocket, as on Node.
func (s *ServerOptions) SetCors(v *types.Cors) { s.cors = v }

// GetRawCors returns what SetCors has set, or nil.
func (s *ServerOptions) GetRawCors() *types.Cors { return s.cors }

// Cors returns what SetCors has set, or the zero value.
func (s *ServerOptions) Cors() *types.Cors { return s.cors }

// SetAllowEIO3 sets whether clients of Socket.IO 1 and 2 are allowed. The Id of their sockets
// is not the one that the client knows, because that one is secret. Default: false.
func (s *ServerOptions) SetAllowEIO3(v bool) { s.allowEIO3 = &v }

// GetRawAllowEIO3 returns what SetAllowEIO3 has set, or nil.
func (s *ServerOptions) GetRawAllowEIO3() *bool { return s.allowEIO3 }

// AllowEIO3 returns what SetAllowEIO3 has set, or the zero value.
func (s *ServerOptions) AllowEIO3() bool { return get(s.allowEIO3) }
