//go:build unix

package redistest

import "syscall"

// Pause stops the server until Resume: its connections stay open.
func (s *Server) Pause() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume continues a paused server.
func (s *Server) Resume() { s.cmd.Process.Signal(syscall.SIGCONT) }
