package socket

import (
	"time"

	"github.com/puente-io/puente/compat/zishang520/config"
)

// ServerOptionsInterface is implemented by ServerOptions.
type ServerOptionsInterface interface {
	config.ServerOptionsInterface
	config.AttachOptionsInterface

	SetServeClient(bool)
	GetRawServeClient() *bool
	ServeClient() bool
	SetAdapter(AdapterConstructor)
	GetRawAdapter() AdapterConstructor
	Adapter() AdapterConstructor
	SetConnectTimeout(time.Duration)
	GetRawConnectTimeout() *time.Duration
	ConnectTimeout() time.Duration
	SetConnectionStateRecovery(*ConnectionStateRecovery)
	GetRawConnectionStateRecovery() *ConnectionStateRecovery
	ConnectionStateRecovery() *ConnectionStateRecovery
	SetCleanupEmptyChildNamespaces(bool)
	GetRawCleanupEmptyChildNamespaces() *bool
	CleanupEmptyChildNamespaces() bool
}

// ServerOptions configures a Server. The zero value has the defaults.
type ServerOptions struct {
	config.ServerOptions
	config.AttachOptions

	serveClient                 *bool
	adapter                     AdapterConstructor
	connectTimeout              *time.Duration
	connectionStateRecovery     *ConnectionStateRecovery
	cleanupEmptyChildNamespaces *bool
}

// DefaultServerOptions returns options with the defaults.
func DefaultServerOptions() *ServerOptions { return &ServerOptions{} }

// Assign copies the options that data has set.
func (s *ServerOptions) Assign(data ServerOptionsInterface) ServerOptionsInterface {
	if data == nil {
		return s
	}
	s.ServerOptions.Assign(data)
	s.AttachOptions.Assign(data)
	if data.GetRawServeClient() != nil {
		s.SetServeClient(data.ServeClient())
	}
	if data.GetRawAdapter() != nil {
		s.SetAdapter(data.Adapter())
	}
	if data.GetRawConnectTimeout() != nil {
		s.SetConnectTimeout(data.ConnectTimeout())
	}
	if data.GetRawConnectionStateRecovery() != nil {
		s.SetConnectionStateRecovery(data.ConnectionStateRecovery())
	}
	if data.GetRawCleanupEmptyChildNamespaces() != nil {
		s.SetCleanupEmptyChildNamespaces(data.CleanupEmptyChildNamespaces())
	}
	return s
}

// SetServeClient sets whether Attach also serves the browser's client. The files are read from the
// directory client-dist beside the directory of the executable, as in the original.
// Default: false.
func (s *ServerOptions) SetServeClient(v bool) { s.serveClient = &v }

// GetRawServeClient returns what SetServeClient has set, or nil.
func (s *ServerOptions) GetRawServeClient() *bool { return s.serveClient }

// ServeClient returns what SetServeClient has set, or the zero value.
func (s *ServerOptions) ServeClient() bool { return get(s.serveClient) }

// SetAdapter sets how the servers of a cluster are connected. Default: not at all.
func (s *ServerOptions) SetAdapter(v AdapterConstructor) { s.adapter = v }

// GetRawAdapter returns what SetAdapter has set, or nil.
func (s *ServerOptions) GetRawAdapter() AdapterConstructor { return s.adapter }

// Adapter returns what SetAdapter has set, or the zero value.
func (s *ServerOptions) Adapter() AdapterConstructor { return s.adapter }

// SetConnectTimeout sets how long a client may stay without a namespace. Default: 45 s.
func (s *ServerOptions) SetConnectTimeout(v time.Duration) { s.connectTimeout = &v }

// GetRawConnectTimeout returns what SetConnectTimeout has set, or nil.
func (s *ServerOptions) GetRawConnectTimeout() *time.Duration { return s.connectTimeout }

// ConnectTimeout returns what SetConnectTimeout has set, or the zero value.
func (s *ServerOptions) ConnectTimeout() time.Duration { return get(s.connectTimeout) }

// SetConnectionStateRecovery sets an option that is ignored: no connection state is
// recovered.
func (s *ServerOptions) SetConnectionStateRecovery(v *ConnectionStateRecovery) {
	s.connectionStateRecovery = v
}

// GetRawConnectionStateRecovery returns what SetConnectionStateRecovery has set, or nil.
func (s *ServerOptions) GetRawConnectionStateRecovery() *ConnectionStateRecovery {
	return s.connectionStateRecovery
}

// ConnectionStateRecovery returns what SetConnectionStateRecovery has set, or the zero value.
func (s *ServerOptions) ConnectionStateRecovery() *ConnectionStateRecovery {
	return s.connectionStateRecovery
}

// SetCleanupEmptyChildNamespaces sets whether namespaces of a pattern are removed after their last
// socket. Default: false.
func (s *ServerOptions) SetCleanupEmptyChildNamespaces(v bool) { s.cleanupEmptyChildNamespaces = &v }

// GetRawCleanupEmptyChildNamespaces returns what SetCleanupEmptyChildNamespaces has set, or nil.
func (s *ServerOptions) GetRawCleanupEmptyChildNamespaces() *bool {
	return s.cleanupEmptyChildNamespaces
}

// CleanupEmptyChildNamespaces returns what SetCleanupEmptyChildNamespaces has set, or the zero value.
func (s *ServerOptions) CleanupEmptyChildNamespaces() bool { return get(s.cleanupEmptyChildNamespaces) }

func get[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
