package redisadapter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redistest"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// A broken connection is replaced once, by the bus and not by go-redis too. Otherwise a
// node would be subscribed twice and count as two.
func TestBrokenConnectionIsMadeAgainOnce(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, server *redistest.Server, opts redisadapter.Options) {
		server.Up()
		p := startTwo(t, opts)
		p.works(t, "the start")
		client := server.Client()
		defer client.Close()
		calls := func() (n int) {
			info, err := client.Info(t.Context(), "commandstats").Result()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(info) {
				for _, command := range []string{"psubscribe", "ssubscribe"} {
					if rest, ok := strings.CutPrefix(line, "cmdstat_"+command+":calls="); ok {
						fmt.Sscanf(rest, "%d", &n)
					}
				}
			}
			return n
		}
		const kills = 10
		before := calls()
		for i := range kills {
			server.Do("CLIENT", "KILL", "TYPE", "pubsub")
			adaptertest.Eventually(t, "both have subscribed again", func() bool { return calls() >= before+2*(i+1) })
			p.works(t, "a kill")
		}
		if n := calls() - before; n != 2*kills {
			t.Errorf("two nodes have subscribed %d times after %d kills", n, kills)
		}
	})
}
