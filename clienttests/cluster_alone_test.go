package clienttests_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/waittest"
)

// If a node sees no other node at its Redis although presence still knows one, its health
// says so until presence drops that node. The node is ready all the time, even with
// REDIS_REQUIRED.
func TestClusterLastNode(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, mode string) {
		redis := redistest.Start(t)
		last := startNode(t, "REDIS_URL="+redis.URL(), "REDIS_REQUIRED=true", mode)
		victim := startProcess(t, "REDIS_URL="+redis.URL(), mode)
		connected(t, last, victim)
		alone := func() bool {
			status, body := last.get("/readyz")
			d, _ := body["degraded"].(map[string]any)
			if status != http.StatusOK {
				t.Errorf("the last node answers %d %v", status, body)
			}
			return strings.HasPrefix(fmt.Sprint(d["reason"]), "no other node subscribes at this Redis server") && d["connected"] == true
		}
		if alone() {
			t.Error("a node that is not alone says so")
		}
		victim.kill()
		waittest.Until(t, "the last node says that it is alone", alone)
		waittest.Until(t, "the other is taken for dead", func() bool { return !alone() })
	})
}
