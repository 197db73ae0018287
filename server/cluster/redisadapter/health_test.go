package redisadapter

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// A gap is shown from when the node is part of its cluster again, however long it was
// not; it is no reason beside one that lasts.
func TestGapIsShownAfterRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h health
		h.init(Hooks{})
		here := source{side: receiving}
		h.set(here, nil)
		began := time.Now()
		h.set(here, redislink.ErrSilent)
		h.gap(redislink.ErrSilent)
		time.Sleep(10 * gapShown)
		if got := h.get(); !got.Degraded || got.Connected || got.Reason != "Redis does not answer" {
			t.Errorf("while Redis is away: %+v", got)
		}
		h.set(here, nil)
		for _, after := range []time.Duration{0, gapShown - time.Second} {
			time.Sleep(after)
			h.refresh()
			if got := h.get(); !got.Degraded || !got.Connected || !strings.HasPrefix(got.Reason, gapReason) || !got.Since.Equal(began) {
				t.Errorf("%v after the return: %+v", after, got)
			}
		}
		time.Sleep(2 * time.Second)
		h.refresh()
		if got := h.get(); got != (Health{}) {
			t.Errorf("in the end: %+v", got)
		}
	})
}
