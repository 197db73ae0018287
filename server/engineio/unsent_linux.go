package engineio

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitsUnsent reports whether the system has the limit.
const limitsUnsent = true

// limitUnsent bounds the bytes that the kernel takes of a connection before it
// can send them; 0 is no bound. What is on its way is not counted, so a client
// that reads gets its answer as fast as without.
func limitUnsent(conn net.Conn, bytes int) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { setUnsent(int(fd), bytes) })
}

func setUnsent(fd, bytes int) {
	unix.SetsockoptInt(fd, syscall.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
}
