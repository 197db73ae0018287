package redisadapter_test

import (
	"testing"

	"github.com/puente-io/puente/server/cluster/redistest"
)

// The nodes follow the sentinel to the new master, whether the old one has been
// killed or has handed over.
func TestSentinel(t *testing.T) {
	t.Parallel()
	for name, opts := range modes {
		opts.Prefix = "sentinel"
		t.Run(name+"/killed", func(t *testing.T) {
			t.Parallel()
			s, opts := redistest.StartSentinel(t, "main"), opts
			opts.URL = s.URL()
			p := startTwo(t, opts)
			p.works(t, "the start")
			s.Hold(true) // for as long as this takes
			s.Master.Kill()
			p.fails(t)
			s.Hold(false)
			p.works(t, "the loss of the master")
			p.inOrder(t)
		})
		t.Run(name+"/handed over", func(t *testing.T) {
			t.Parallel()
			s, opts := redistest.StartSentinel(t, "main"), opts
			opts.URL = s.URL()
			p := startTwo(t, opts)
			p.works(t, "the start")
			s.HandOver()
			s.Master.Kill() // so that a node that still uses it fails the test
			p.works(t, "the change of masters")
			p.inOrder(t)
		})
	}
}
