//go:build !linux

package engineio

import "net"

// limitsUnsent reports whether the system has the limit.
const limitsUnsent = false

func limitUnsent(net.Conn, int) {}

func setUnsent(int, int) {}
