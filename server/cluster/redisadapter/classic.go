package redisadapter

import (
	"strings"

	"github.com/puente-io/puente/server/cluster/redisbus"
)

// classic is the protocol of createAdapter in @socket.io/redis-adapter 8.3.
//
//	KEY#NSP#, KEY#NSP#ROOM#       broadcasts: [uid, packet, {rooms, except, flags}] in MessagePack
//	KEY-request#NSP#              requests: JSON, or MessagePack if they have binary values
//	KEY-response#NSP#[UID#]       answers: as requests
//
// A broadcast to exactly one room goes to the channel of the room. Each node subscribes
// to the pattern KEY#NSP#*, and to the others by name.
type classic struct {
	nsp      string
	prefix   string // of the channels of broadcasts
	requests string
	answers  string
	specific bool // answers go to the requesting node's channel
}

// Types of requests and answers. Some answers have none; their fields distinguish them.
const (
	classicSockets = iota
	classicAllRooms
	classicJoin
	classicLeave
	classicDisconnect
	classicFetch
	classicServerSide
	classicBroadcast
	classicClientCount
	classicAck
)

func newClassic(o Options, nsp string) *classic {
	return &classic{
		nsp:      nsp,
		prefix:   o.Prefix + "#" + nsp + "#",
		requests: o.Prefix + "-request#" + nsp + "#",
		answers:  o.Prefix + "-response#" + nsp + "#",
		specific: o.SpecificResponses,
	}
}

func (c *classic) id() string { return randomID(6) }

func (c *classic) targets(uid string) []redisbus.Target {
	return []redisbus.Target{
		{Kind: redisbus.Pattern, Name: globEscaper.Replace(c.prefix) + "*"},
		c.shared(),
		{Kind: redisbus.Channel, Name: c.answers},
		{Kind: redisbus.Channel, Name: c.answers + uid + "#"},
	}
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

func (c *classic) shared() redisbus.Target {
	return redisbus.Target{Kind: redisbus.Channel, Name: c.requests}
}

// room returns the channel without its prefix and last character, as Node does.
func (c *classic) room(channel string) string {
	if rest, ok := strings.CutPrefix(channel, c.prefix); ok && rest != "" {
		return rest[:len(rest)-1]
	}
	return ""
}
