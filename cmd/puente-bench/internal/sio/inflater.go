package sio

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
)

// maxInflated is how many messages an inflater remembers: more than are in flight.
const maxInflated = 64

// inflater inflates messages that refer to no earlier ones. It inflates a message that comes to many clients once: it must cost
// much less than the server's compression.
type inflater struct {
	flate    io.ReadCloser
	inflated map[string][]byte
}

// inflate returns the message, which must not be changed.
func (z *inflater) inflate(compressed []byte) ([]byte, error) {
	if message, ok := z.inflated[string(compressed)]; ok {
		return message, nil
	}
	// What senders cut off (RFC 7692, section 7.2.1), and a block that ends the stream.
	in := io.MultiReader(bytes.NewReader(compressed), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	if z.flate == nil {
		z.flate, z.inflated = flate.NewReader(in), map[string][]byte{}
	} else if err := z.flate.(flate.Resetter).Reset(in, nil); err != nil {
		return nil, err
	}
	message, err := io.ReadAll(z.flate)
	if err != nil {
		return nil, fmt.Errorf("%w: compressed message: %w", ErrProtocol, err)
	}
	if len(z.inflated) >= maxInflated {
		clear(z.inflated)
	}
	z.inflated[string(compressed)] = message
	return message, nil
}
