//go:build !linux

package loop

func newPlain(addr string) (Loop, error) { return newPortable(addr, nil), nil }
