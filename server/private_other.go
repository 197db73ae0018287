//go:build !unix

package server

import "io/fs"

// isPrivate relies on the directory of the user's profile, which is closed to others by
// its access list: Go shows no owner and no mode of it.
func isPrivate(fs.FileInfo) bool { return true }
