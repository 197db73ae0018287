package redisadapter

import (
	"context"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/puente-io/puente/server/cluster/redislink"
)

// What is wrong with connections that are open and answer.
const (
	errReplica  = redislink.Problem("Redis is a replica, not the master")
	errMoving   = redislink.ErrMoving
	errDivided  = redislink.Problem("this node publishes and subscribes at different Redis servers")
	errNoEcho   = redislink.Problem("what this node publishes does not come back")
	errNotThere = redislink.Problem("subscribing")
	errOthers   = redislink.Problem("the other nodes have not followed to this Redis server yet")
	errAlone    = redislink.Problem("no other node is at this Redis server, though others are known: they have ended, or are at another server")
)

// proof is what a pipeline asks after its messages, on the same connection, to
// find out where that leads: Redis has then published them where all nodes
// subscribe. It costs two small commands for a batch, however large.
//
// NUMSUB counts who subscribes there to the channel that all nodes have, and to
// this node's own. Without the right to it, a message to the node's own channel
// counts at least its own subscription. ROLE says whether it is the master; a user
// without the right to that is believed.
type proof struct {
	probe *probe
	on    *connection // that had the node's own channel when the proof was asked for
	echo  uint64      // number of the message to the own channel, 0 if there is none

	numSub *redis.MapStringIntCmd
	own    *redis.IntCmd
	role   *redis.Cmd
}

// probe is what a publisher knows about the places of proofs. It belongs to the
// publisher's goroutine.
type probe struct {
	sub   *subscriber
	links *redislink.Links

	counted, ownChannel string // "" while no namespace is there
	sharded             bool
	noNumSub, noRole    bool        // the user has no right to it
	nodes               int         // that have been seen at the right place
	nodesBy             *connection // which this node had subscribed by then
	met                 bool        // others have been seen there, and are known since
	peers               func() int  // other nodes that are known; nil if nobody knows

	sent    uint64 // number of the last message to the own channel
	awaited echo   // one that is to come back
	astray  doubt  // Redis does not know of the subscription where this node publishes
	unheard doubt  // awaited has not come back
}

// echo is a message of this node to itself.
type echo struct {
	n  uint64      // its number; 0 is none
	on *connection // that is to bring it
}

// echoMark begins the messages that a node sends to itself.
const echoMark = `{"requestId":"puente-echo-`

func echoPayload(n uint64) string { return echoMark + strconv.FormatUint(n, 10) + `"}` }

// echoNumber is the number of an echo.
func echoNumber(payload string) (n uint64, ok bool) {
	rest, ok := strings.CutPrefix(payload, echoMark)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(rest, `"}`), 10, 64)
	return n, err == nil
}

// ask appends the proof to a pipeline. With echo, a message to the node's own
// channel is among it, which is to come back on the subscription.
func (p *probe) ask(ctx context.Context, pipe redis.Pipeliner, echo bool) proof {
	a := proof{probe: p}
	before := p.counted
	if p.counted, p.ownChannel, p.sharded = p.sub.own(); p.counted != before {
		p.nodes, p.nodesBy, p.met = 0, nil, false // of another namespace
	}
	a.on, _ = p.sub.holder(p.ownChannel)
	if p.ownChannel != "" {
		if echo || p.noNumSub {
			p.sent++
			a.echo = p.sent
			if p.sharded {
				a.own = pipe.SPublish(ctx, p.ownChannel, echoPayload(p.sent))
			} else {
				a.own = pipe.Publish(ctx, p.ownChannel, echoPayload(p.sent))
			}
		}
		switch {
		case p.noNumSub:
		case p.sharded:
			a.numSub = pipe.PubSubShardNumSub(ctx, p.counted, p.ownChannel)
		default:
			a.numSub = pipe.PubSubNumSub(ctx, p.counted, p.ownChannel)
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
	on     *connection // that had the node's own channel before
	echo   uint64      // number of the message to the own channel that Redis has taken, 0 if there is none
	denied error       // why Redis has refused that message
}

// read returns what the proof found out.
func (a proof) read() place {
	p := a.probe
	at := place{own: p.ownChannel == "", nodes: -1, on: a.on}
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
			at.denied = &redislink.Denied{Command: strings.ToUpper(a.own.Name()), Channel: p.ownChannel, Err: err}
		}
	}
	if a.numSub != nil {
		counts, err := a.numSub.Result()
		switch {
		case redislink.IsDenied(err):
			p.noNumSub = true
			at.own = true // the next proof counts otherwise
		case err != nil:
			at.err = err
		default:
			at.own = at.own || counts[p.ownChannel] > 0
			at.nodes = int(counts[p.counted])
		}
	}
	return at
}

// judge decides whether what was published in front of a proof reached the place
// where all nodes subscribe.
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

// settled decides whether publishing may begin after the connections were made
// again: this node subscribes there, and so do the others, unless time is up.
func (p *probe) settled(at place, epoch uint64, patient bool) error {
	err := p.know(&at, epoch)
	switch {
	case err != nil:
		return err
	case !at.own:
		return errNotThere
	case patient && at.nodes >= 0 && at.nodes < p.nodes:
		return errOthers
	}
	p.count(at)
	return nil
}

// count notes how many nodes there are.
func (p *probe) count(at place) {
	if at.nodes >= 0 {
		p.nodes, p.nodesBy = at.nodes, at.on
	}
	p.met = p.met || at.nodes > 1
}

// company returns an error if no other node subscribes where this one does, though
// others did and are still known: nobody can know who is right then, but that not all
// is well.
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

// know returns what is wrong for certain with the connections. If nothing is, own of
// the place says whether this node subscribes there, or need not, since the namespace
// has been closed meanwhile.
func (p *probe) know(at *place, epoch uint64) error {
	now, wanted := p.sub.holder(p.ownChannel)
	at.own = at.own || !wanted
	switch {
	case at.err != nil:
		return at.err
	case epoch != p.links.Epoch():
		return errMoving
	case at.own || now == nil || now != at.on: // what subscribed after the proof says nothing of the proof
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

// hear is to be called every lookEvery, with a proof that has an echo: it returns
// an error if it is certain that an earlier echo does not come back.
func (p *probe) hear(at place) error {
	now, _ := p.sub.holder(p.ownChannel)
	unheard := p.unheard.justified(now) // before the echo is looked for, which comes before this
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
