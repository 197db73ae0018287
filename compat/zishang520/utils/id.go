package utils

import "github.com/puente-io/puente/server/engineio"

type base64ID struct{}

// Base64Id returns the generator of the ids that sessions and sockets have.
func Base64Id() base64ID { return base64ID{} }

// GenerateId returns a new id of 20 characters. The error is always nil.
func (base64ID) GenerateId() (string, error) { return engineio.NewID(), nil }
