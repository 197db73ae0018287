package redislink_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/puente-io/puente/server/cluster/redislink"
)

type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

func TestReason(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{answer("WRONGPASS invalid username-password pair or user is disabled."), "WRONGPASS invalid username-password pair or user is disabled."},
		{answer("NOAUTH Authentication required."), "NOAUTH Authentication required."},
		{answer("ERR Protocol error: unauthenticated multibulk length"), "NOAUTH Authentication required."},
		{answer("MOVED 3999 10.0.0.7:6381"), "MOVED: Redis has moved the slot of a channel"},
		{answer("NOPERM User ana has no permissions to run the 'pubsub|numsub' command"), "NOPERM: the Redis user may not run PUBSUB NUMSUB"},
		{answer("NOPERM this user has no permissions to run the 'ping' command"), "NOPERM: the Redis user may not run PING"},
		{answer("NOPERM this user has no permissions to access one of the channels used as arguments"), "NOPERM: the Redis user may not use a channel"},
		{answer("NOPERM of ana"), "NOPERM: the Redis user lacks a permission"},
		{
			&redislink.Denied{Command: "PSUBSCRIBE", Channel: "socket.io#/#*", Err: answer("NOPERM of ana")},
			"NOPERM: the Redis user may not run PSUBSCRIBE on socket.io#/#*",
		},
		{answer("ERR max number of clients reached"), "ERR max number of clients reached"},
		{&net.OpError{Op: "dial", Addr: &net.TCPAddr{Port: 6379}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "Redis cannot be reached: connection refused"},
		{&net.DNSError{Err: "no such host", Name: "redis.internal"}, "cannot resolve the Redis host"},
		{&redislink.ShardError{Slot: 7, Err: io.EOF}, "shard of slot 7: Redis has closed the connection"},
		{fmt.Errorf("read 10.0.0.7: %w", io.EOF), "Redis has closed the connection"},
		{context.DeadlineExceeded, "Redis does not answer"},
		{fmt.Errorf("at 10.0.0.7: %w", redislink.ErrSilent), "Redis does not answer"},
		{fmt.Errorf("tls: %w", x509.UnknownAuthorityError{}), "x509: certificate signed by unknown authority"},
		{fmt.Errorf("tls: %w", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "10.0.0.7"}), "x509: the certificate is for another name"},
		{errors.New("dial 10.0.0.7"), "Redis cannot be reached"},
	} {
		if got := redislink.Reason(tc.err); got != tc.want {
			t.Errorf("Reason(%v) = %q, want %q", tc.err, got, tc.want)
		}
	}
}

func TestSlot(t *testing.T) {
	for key, want := range map[string]int{"123456789": 12739, "foo": 12182, "a{foo}b": 12182, "{}foo": redislink.Slot("{}foo"), "": 0} {
		if got := redislink.Slot(key); got != want {
			t.Errorf("Slot(%q) = %d, want %d", key, got, want)
		}
	}
}
