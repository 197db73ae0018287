package redisbus

import (
	"errors"
	"fmt"
	"net"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// What is wrong with connections that are open and get replies.
const (
	errReplica  = redislink.Problem("Redis is a replica, not the master")
	errMoving   = redislink.ErrMoving
	errDivided  = redislink.Problem("this node publishes and subscribes at different Redis servers")
	errNoEcho   = redislink.Problem("this node does not receive what it publishes")
	errNotThere = redislink.Problem("not subscribed yet")
	errOthers   = redislink.Problem("the other nodes have not followed to this Redis server yet")
	errAlone    = redislink.Problem("no other node subscribes at this Redis server, although others are known: they have stopped, or use another server")
)

var (
	errFull = fmt.Errorf("%w: Redis takes messages too slowly", ErrUnavailable)
	errLate = fmt.Errorf("%w: Redis did not take the message in time", ErrUnavailable)
)

// moving reports whether an error belongs to connections that are being replaced.
func moving(err error) bool {
	return errors.Is(err, errMoving) || errors.Is(err, errDivided) || errors.Is(err, errCutOff) || errors.Is(err, errNotThere) || errors.Is(err, errOthers) || errors.Is(err, errReplica)
}

func away(err error) error { return fmt.Errorf("%w: %w", ErrAway, err) }

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// publicError returns the error that publishers get: ErrAway if Redis could not be
// reached, ErrUnavailable if a server may not have taken the message in time, or may be
// the wrong one.
func publicError(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, ErrUnavailable):
		return err
	case moving(err), redislink.IsDenied(err), errors.As(err, &timeout) && timeout.Timeout():
		return unavailable(err)
	}
	return away(err)
}
