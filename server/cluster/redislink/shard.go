package redislink

import (
	"fmt"
	"strings"
)

// ShardError is what is wrong with one shard of a Redis Cluster.
type ShardError struct {
	Slot int // one of the shard's
	Err  error
}

func (e *ShardError) Error() string { return fmt.Sprintf("shard of slot %d: %v", e.Slot, e.Err) }
func (e *ShardError) Unwrap() error { return e.Err }

// Slot returns the hash slot of a key or shard channel.
func Slot(key string) int {
	if i := strings.IndexByte(key, '{'); i >= 0 {
		if n := strings.IndexByte(key[i+1:], '}'); n > 0 {
			key = key[i+1 : i+1+n]
		}
	}
	crc := uint16(0) // CRC-16/XMODEM
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc % 16384)
}
