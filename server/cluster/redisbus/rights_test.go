package redisbus

import (
	"testing"

	"github.com/puente-io/puente/server/cluster/redislink"
)

type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

// A message that Redis takes shows that the right to a command is back, but not the
// right to another channel.
func TestRightsAreKnownByAnswers(t *testing.T) {
	for _, tc := range []struct {
		denial answer
		over   bool
	}{
		{"NOPERM User node has no permissions to run the 'publish' command", true},
		{"NOPERM No permissions to access a channel", false},
	} {
		c := &Redis{health: newMonitor(Hooks{})}
		c.health.received(nil)
		p := &publisher{bus: c}
		p.rights(&redislink.Denied{Command: "PUBLISH", Channel: "c", Err: tc.denial}, false)
		p.rights(&redislink.Denied{Command: "PUBLISH", Channel: "d", Err: tc.denial}, false)
		if got := c.Health().Reason; got != "NOPERM: the Redis user may not run PUBLISH on c" {
			t.Errorf("%s: %q", tc.denial, got)
		}
		p.report(redislink.ErrSilent)
		p.report(nil) // the connection is there
		if !c.Health().Degraded {
			t.Errorf("%s: a connection gives the right", tc.denial)
		}
		p.rights(nil, true)
		if got := !c.Health().Degraded; got != tc.over {
			t.Errorf("%s: well after a message that was taken: %v", tc.denial, got)
		}
	}
}
