package redislink

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/internal/clip"
)

// Problem is an error whose text may be public.
type Problem string

func (p Problem) Error() string { return string(p) }

// ErrSilent: Redis is connected, but nothing arrives.
const ErrSilent = Problem("Redis does not answer")

// Denied is a reply of Redis that refuses a command because of the user's ACL.
type Denied struct {
	Command string // in capitals
	Channel string // "" if it is not known which
	Err     error  // the reply
}

func (d *Denied) Error() string { return Reason(d) + " (" + d.Err.Error() + ")" }
func (d *Denied) Unwrap() error { return d.Err }

// IsDenied reports whether Redis refused a command because of the user's ACL, which shows
// that Redis itself is reachable.
func IsDenied(err error) bool { return redis.HasErrorPrefix(err, "NOPERM") }

// IsCommandDenied reports whether Redis refused a command for all channels.
func IsCommandDenied(err error) bool {
	return IsDenied(err) && deniedCommand.MatchString(err.Error())
}

// IsAnswer reports whether err is a reply of Redis to a command.
func IsAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

var deniedCommand = regexp.MustCompile(`'([a-zA-Z|]+)' command`)

// Reason returns why Redis cannot be used, with Redis' own code if it has replied, in
// words that may be public: no address, user or password. It returns "" for nil.
func Reason(err error) string {
	var (
		problem Problem
		denied  *Denied
		answer  redis.Error
		dns     *net.DNSError
		timeout net.Error
	)
	var shard *ShardError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &shard):
		return "shard of slot " + strconv.Itoa(shard.Slot) + ": " + Reason(shard.Err)
	case errors.As(err, &problem):
		return string(problem)
	case errors.As(err, &denied):
		if denied.Channel == "" {
			return "NOPERM: the Redis user may not run " + denied.Command
		}
		return "NOPERM: the Redis user may not run " + denied.Command + " on " + denied.Channel
	case errors.As(err, &answer):
		return answered(answer.Error())
	case errors.As(err, &dns):
		return "cannot resolve the Redis host"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Redis cannot be reached: connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "Redis has closed the connection"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return string(ErrSilent)
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "x509: certificate signed by unknown authority"
	case errors.As(err, new(x509.HostnameError)):
		return "x509: the certificate is for another name"
	case errors.As(err, new(x509.CertificateInvalidError)):
		return "x509: the certificate is invalid, expired or not yet valid"
	case strings.Contains(err.Error(), "tls:"):
		return "the TLS handshake with Redis fails"
	}
	return "Redis cannot be reached"
}

// answered returns the part of an error reply that may be public.
func answered(text string) string {
	code, _, _ := strings.Cut(text, " ")
	switch code {
	case "MOVED", "ASK": // an address follows
		return code + ": Redis has moved the slot of a channel"
	case "NOPERM": // the user's name follows
		if m := deniedCommand.FindStringSubmatch(text); m != nil {
			return "NOPERM: the Redis user may not run " + strings.ToUpper(strings.ReplaceAll(m[1], "|", " "))
		}
		if strings.Contains(text, "channel") {
			return "NOPERM: the Redis user may not use a channel"
		}
		return code + ": the Redis user lacks a permission"
	}
	if strings.Contains(text, "unauthenticated") { // a command with many channels is no command to it
		return "NOAUTH Authentication required."
	}
	return clip.Text(text, maxReason)
}

// maxReason bounds what is shown of an error reply, in bytes.
const maxReason = 256
