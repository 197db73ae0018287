//go:build !unix

package server

import "io/fs"

// isPrivate returns true: Go reports no owner and mode here, and the access list of the
// user's profile directory keeps others out.
func isPrivate(fs.FileInfo) bool { return true }
