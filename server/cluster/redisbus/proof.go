package redisbus

import (
	"context"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// proof is what a pipeline asks after its messages, on the same connection: whether that
// connection leads to the server that all nodes subscribe to, so that the messages reach
// them. It costs two small commands per batch.
//
// NUMSUB counts the subscribers there of the target that all nodes have, and of this
// node's own. Without the right to it, a message to the own target counts at least this
// node's subscription. ROLE says whether the server is the master; without the right to
// ROLE it is assumed to be.
type proof struct {
	probe *probe
	on    *connection // that had the own target when the proof was asked for
	echo  uint64      // number of the message to the own target, 0 if there is none

	numSub *redis.MapStringIntCmd
	own    *redis.IntCmd
	role   *redis.Cmd
}

// probe is what a publisher knows from proofs. It must be used by one goroutine only.
type probe struct {
	sub   *subscriber
	links *redislink.Links

	landmark         Landmark    // zero if there is none
	noNumSub, noRole bool        // the user has no right to it
	nodes            int         // that were seen at the right place
	nodesBy          *connection // that had this node's subscription then
	met              bool        // others were seen there, and have been known since
	peers            func() int  // returns the number of other nodes that are known; nil if nobody knows

	sent    uint64 // number of the last message to the own target
	awaited echo   // one that must come back
	astray  doubt  // Redis does not know of the subscription where this node publishes
	unheard doubt  // awaited has not come back
}

// echo is a message of this node to itself.
type echo struct {
	n  uint64      // its number; 0 is none
	on *connection // on which it must come back
}

// echoMark begins the messages that a node sends to itself.
const echoMark = `{"requestId":"puente-echo-`

func echoPayload(n uint64) string { return echoMark + strconv.FormatUint(n, 10) + `"}` }

// echoNumber returns the number of an echo.
func echoNumber(payload string) (n uint64, ok bool) {
	rest, ok := strings.CutPrefix(payload, echoMark)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(rest, `"}`), 10, 64)
	return n, err == nil
}

// ask appends the proof to a pipeline. With echo, it includes a message to the own
// target, which must come back on the subscription.
func (p *probe) ask(ctx context.Context, pipe redis.Pipeliner, echo bool) proof {
	a := proof{probe: p}
	before := p.landmark.Shared
	if p.landmark = p.sub.landmark(); p.landmark.Shared != before {
		p.nodes, p.nodesBy, p.met = 0, nil, false // of another landmark
	}
	shared, own := p.landmark.Shared.Name, p.landmark.Own.Name
	sharded := p.landmark.Own.Kind == Shard
	a.on, _ = p.sub.holder(p.landmark.Own)
	if own != "" {
		if echo || p.noNumSub {
			p.sent++
			a.echo = p.sent
			if sharded {
				a.own = pipe.SPublish(ctx, own, echoPayload(p.sent))
			} else {
				a.own = pipe.Publish(ctx, own, echoPayload(p.sent))
			}
		}
		switch {
		case p.noNumSub:
		case sharded:
			a.numSub = pipe.PubSubShardNumSub(ctx, shared, own)
		default:
			a.numSub = pipe.PubSubNumSub(ctx, shared, own)
		}
	}
	if !p.noRole {
		a.role = pipe.Do(ctx, "ROLE")
	}
	return a
}

// place is what a proof has found out.
type place struct {
	err    error       // the connection does not lead to the master, or has failed
	own    bool        // this node subscribes there
	nodes  int         // how many subscribe there, -1 if that is not known
	on     *connection // that had the own target when the proof was asked for
	echo   uint64      // number of the message to the own target that Redis has taken, 0 if there is none
	denied error       // why Redis has refused that message
}

// read returns what the proof has found out.
func (a proof) read() place {
	p := a.probe
	shared, own := p.landmark.Shared.Name, p.landmark.Own.Name
	at := place{own: own == "", nodes: -1, on: a.on}
	if a.role != nil {
		role, err := a.role.Slice()
		switch {
		case redislink.IsAnswer(err) && (redislink.IsDenied(err) || redis.HasErrorPrefix(err, "unknown command")):
			p.noRole = true
		case err != nil:
			at.err = err
			return at
		case len(role) > 0 && role[0] != "master":
			at.err = errReplica
			return at
		}
	}
	if a.own != nil {
		n, err := a.own.Result()
		if err != nil && !redislink.IsDenied(err) {
			at.err = err
			return at
		}
		at.own = at.own || n > 0 || err != nil
		if err == nil {
			at.echo = a.echo
		} else {
			at.denied = &redislink.Denied{Command: strings.ToUpper(a.own.Name()), Channel: own, Err: err}
		}
	}
	if a.numSub != nil {
		counts, err := a.numSub.Result()
		switch {
		case redislink.IsDenied(err):
			p.noNumSub = true
			at.own = true // the next proof counts in the other way
		case err != nil:
			at.err = err
		default:
			at.own = at.own || counts[own] > 0
			at.nodes = int(counts[shared])
		}
	}
	return at
}

// judge returns an error unless what was published before a proof has reached the server
// that all nodes subscribe to.
func (p *probe) judge(at place, epoch uint64) error {
	err := p.know(&at, epoch)
	switch {
	case err != nil:
		return err
	case !at.own && (at.nodes < 0 || at.nodes < p.nodes-1): // nor do the others
		return errNotThere
	case at.own && at.nodes >= 0 && at.nodes < p.nodes && at.on != p.nodesBy: // it is this node that has moved
		return errOthers
	}
	if at.own {
		p.count(at)
	}
	return nil
}

// settled returns nil if publishing may begin after the connections were replaced: this
// node subscribes there, and so do the others, unless they have been awaited for long
// enough.
func (p *probe) settled(at place, epoch uint64, wait bool) error {
	err := p.know(&at, epoch)
	switch {
	case err != nil:
		return err
	case !at.own:
		return errNotThere
	case wait && at.nodes >= 0 && at.nodes < p.nodes:
		return errOthers
	}
	p.count(at)
	return nil
}

// count records how many nodes there are.
func (p *probe) count(at place) {
	if at.nodes >= 0 {
		p.nodes, p.nodesBy = at.nodes, at.on
	}
	p.met = p.met || at.nodes > 1
}

// company returns an error if no other node subscribes to this node's server, although
// others did and presence still knows them. It does not show which node is wrong.
func (p *probe) company(at place) error {
	switch {
	case at.nodes > 1:
	case p.peers == nil || p.peers() == 0:
		p.met = false
	case at.own && at.nodes == 1 && p.met:
		return errAlone
	}
	return nil
}

// know returns what is certainly wrong with the connections. If nothing is, own of the
// place says whether this node subscribes there, or need not, because the landmark is
// not watched any more.
func (p *probe) know(at *place, epoch uint64) error {
	now, wanted := p.sub.holder(p.landmark.Own)
	at.own = at.own || !wanted
	switch {
	case at.err != nil:
		return at.err
	case epoch != p.links.Epoch():
		return errMoving
	case at.own || now == nil || now != at.on: // a connection that subscribed after the proof says nothing about it
		p.astray = doubt{}
	case now.behind():
		return errCutOff
	case p.astray.justified(now):
		return errDivided
	default:
		p.astray.raise(now)
	}
	return nil
}

// hear must be called every checkEvery, with a proof that has an echo. It returns an
// error if an earlier echo certainly does not come back.
func (p *probe) hear(at place) error {
	now, _ := p.sub.holder(p.landmark.Own)
	unheard := p.unheard.justified(now) // before the echo is looked for, which arrives before this reply
	switch {
	case p.awaited.n == 0 || p.awaited.on == nil || p.awaited.on != now || p.sub.echoed(p.awaited.n):
		p.awaited, p.unheard = echo{at.echo, at.on}, doubt{}
	case unheard:
		p.awaited, p.unheard = echo{}, doubt{}
		return errNoEcho
	default:
		p.unheard.raise(now)
	}
	return nil
}
