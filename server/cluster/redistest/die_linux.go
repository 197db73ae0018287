package redistest

import "syscall"

// dieWithParent ends a server whose test has been killed.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
