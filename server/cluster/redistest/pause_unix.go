//go:build unix

package redistest

import "syscall"

// Pause stops the server without ending it; Resume continues it.
func (s *Server) Pause() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume continues a server that is paused.
func (s *Server) Resume() { s.cmd.Process.Signal(syscall.SIGCONT) }
