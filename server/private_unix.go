//go:build unix

package server

import (
	"io/fs"
	"os"
	"syscall"
)

// isPrivate reports whether this user owns the file and nobody else may access it.
func isPrivate(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o077 == 0
}
