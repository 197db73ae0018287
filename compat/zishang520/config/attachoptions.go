package config

import "time"

// AttachOptionsInterface is implemented by AttachOptions.
type AttachOptionsInterface interface {
	SetPath(string)
	GetRawPath() *string
	Path() string
	SetDestroyUpgrade(bool)
	GetRawDestroyUpgrade() *bool
	DestroyUpgrade() bool
	SetDestroyUpgradeTimeout(time.Duration)
	GetRawDestroyUpgradeTimeout() *time.Duration
	DestroyUpgradeTimeout() time.Duration
	SetAddTrailingSlash(bool)
	GetRawAddTrailingSlash() *bool
	AddTrailingSlash() bool
}

// AttachOptions says at which path of an HTTP server the endpoint is. The zero value
// has the defaults.
type AttachOptions struct {
	path                  *string
	destroyUpgrade        *bool
	destroyUpgradeTimeout *time.Duration
	addTrailingSlash      *bool
}

// DefaultAttachOptions returns options with the defaults.
func DefaultAttachOptions() *AttachOptions { return &AttachOptions{} }

// Assign copies the options that data has set.
func (a *AttachOptions) Assign(data AttachOptionsInterface) AttachOptionsInterface {
	if data == nil {
		return a
	}
	if data.GetRawPath() != nil {
		a.SetPath(data.Path())
	}
	if data.GetRawDestroyUpgrade() != nil {
		a.SetDestroyUpgrade(data.DestroyUpgrade())
	}
	if data.GetRawDestroyUpgradeTimeout() != nil {
		a.SetDestroyUpgradeTimeout(data.DestroyUpgradeTimeout())
	}
	if data.GetRawAddTrailingSlash() != nil {
		a.SetAddTrailingSlash(data.AddTrailingSlash())
	}
	return a
}

// SetPath sets the path of the endpoint. Default: "/engine.io", and "/socket.io" for package
// socket.
func (a *AttachOptions) SetPath(v string) { a.path = &v }

// GetRawPath returns what SetPath has set, or nil.
func (a *AttachOptions) GetRawPath() *string { return a.path }

// Path returns what SetPath has set, or the zero value.
func (a *AttachOptions) Path() string { return get(a.path) }

// SetDestroyUpgrade sets an option that is ignored.
func (a *AttachOptions) SetDestroyUpgrade(v bool) { a.destroyUpgrade = &v }

// GetRawDestroyUpgrade returns what SetDestroyUpgrade has set, or nil.
func (a *AttachOptions) GetRawDestroyUpgrade() *bool { return a.destroyUpgrade }

// DestroyUpgrade returns what SetDestroyUpgrade has set, or the zero value.
func (a *AttachOptions) DestroyUpgrade() bool { return get(a.destroyUpgrade) }

// SetDestroyUpgradeTimeout sets an option that is ignored.
func (a *AttachOptions) SetDestroyUpgradeTimeout(v time.Duration) { a.destroyUpgradeTimeout = &v }

// GetRawDestroyUpgradeTimeout returns what SetDestroyUpgradeTimeout has set, or nil.
func (a *AttachOptions) GetRawDestroyUpgradeTimeout() *time.Duration { return a.destroyUpgradeTimeout }

// DestroyUpgradeTimeout returns what SetDestroyUpgradeTimeout has set, or the zero value.
func (a *AttachOptions) DestroyUpgradeTimeout() time.Duration { return get(a.destroyUpgradeTimeout) }

// SetAddTrailingSlash sets whether the path has a slash at its end. Default: true.
func (a *AttachOptions) SetAddTrailingSlash(v bool) { a.addTrailingSlash = &v }

// GetRawAddTrailingSlash returns what SetAddTrailingSlash has set, or nil.
func (a *AttachOptions) GetRawAddTrailingSlash() *bool { return a.addTrailingSlash }

// AddTrailingSlash returns what SetAddTrailingSlash has set, or the zero value.
func (a *AttachOptions) AddTrailingSlash() bool { return get(a.addTrailingSlash) }
