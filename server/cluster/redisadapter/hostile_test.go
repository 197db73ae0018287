package redisadapter_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/puente-io/puente/server/cluster/redisadapter"
	"github.com/puente-io/puente/server/cluster/redisbus"
	"github.com/puente-io/puente/server/cluster/redisbus/redisbustest"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/adapter/adaptertest"
)

// malformed are payloads that are invalid on every channel of both protocols.
func malformed() []string {
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	return []string{
		"", "\x00", "\xc1", "\xc0", "x", "{", "[]", "null", "{}x", `{"type":}`, `{"type":1e999}`, `{"type":"2"}`, `{"type":null}`, `{"type":{}}`,
		`{"type":99}`, `{"type":-1}`, `{"type":2}`, `{"type":3,"data":null}`, `{"type":5,"opts":null}`, `{"type":6,"data":{}}`, `{"type":6,"data":[]}`,
		`{"type":6,"data":[{}]}`, `{"type":7}`, `{"type":9}`, `{"uid":1,"type":5}`, `{"requestId":{},"type":1}`,
		`{"type":2,"opts":{"rooms":7},"rooms":["x"]}`, `{"type":2,"opts":{"rooms":[[]]},"rooms":["x"]}`, `{"type":6,"data":["e",` + deep + `]}`,
		"\x93\xa1u\x83\xa4type\x02\xa4data\x91\xa1e", // ends early
		"\x93\xa1u\xc0\xc0", "\x93\xc0\x80\x80", "\x93\xa1u\x80\x80", "\x92\xa1u\x80", "\x94\xa1u\x80\x80\xc0",
		"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xffx", "\xc6\xff\xff\xff\xff", "\x93\xdd\xff\xff\xff\xff",
		"\x93\xa1u" + strings.Repeat("\x91", 1<<20), strings.Repeat("\x81", 1<<20),
		"\x93\xa1u\x83\xa4type\x02\xa4data\xa1e\xa3nsp\xa1/\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80",           // data is no array
		"\x93\xa1u\x83\xa4type\x03\xa4data\x91\xa1e\xa3nsp\xa1/\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80",       // an ACK
		"\x93\xa1u\x83\xa4type\x02\xa4data\x91\xa7connect\xa3nsp\xa1/\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80", // reserved
		"\x93\xa1u\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa1/\xa5rooms",
		"\x93\xa1u\x83\xa4type\x02\xa4data\x92\xa1e\xc4\x01x\xa3nsp\xa1/\x83\xa5rooms\x07\xa6except\x90\xa5flags\x80",
	}
}

// malformedSharded are payloads that only the sharded protocol decodes far enough to
// refuse.
func malformedSharded() (list []string) {
	for _, text := range []string{
		`"type":3,"data":{}`, `"type":3,"data":{"opts":{}}`, `"type":3,"data":{"opts":{},"packet":7}`, `"type":3,"data":[]`,
		`"type":3,"data":{"opts":{},"packet":{"type":2}}`, `"type":3,"data":{"opts":{},"packet":{"type":3,"data":["e"]}}`,
		`"type":3,"data":{"opts":{},"packet":{"type":2,"data":["disconnect"]}}`, `"type":3,"data":{"opts":{},"packet":{"type":2,"data":{}}}`,
		`"type":3,"data":{"opts":{},"packet":{"type":2,"data":["e","` + "\xff" + `"]}}`,
		`"type":4,"data":{"rooms":["x"]}`, `"type":4,"data":{"opts":{"rooms":{}},"rooms":["x"]}`, `"type":5,"data":{"opts":{},"rooms":5}`,
		`"type":7,"data":{"opts":{}}`, `"type":7,"data":{"requestId":"x"}`, `"type":9,"data":{"packet":{}}`, `"type":9,"data":{"packet":[]}`,
		`"type":9`, `"type":8,"data":{"requestId":"x"}`, `"type":11,"data":{"requestId":"x"}`, `"type":1`, `"type":13`, `"type":[]`,
	} {
		list = append(list, `{"uid":"x","nsp":"/",`+text+`}`)
	}
	return list
}

// ignored are payloads that are well formed but are for other nodes or ask for nothing.
func ignored() []string {
	return []string{
		"\x93\xa1u\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa2/x\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80", // another namespace
		"\x93\xa1u\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa1/\x83\xa5rooms\x91\xa6nobody\xa6except\x90\xa5flags\x80",
		`{"type":6,"data":["nobody listens",1]}`, `{"requestId":"unknown"}`, `{"requestId":"unknown","type":8,"clientCount":1}`,
		`{"requestId":"unknown","sockets":[]}`, `{"requestId":"unknown","rooms":[]}`,
	}
}

func TestHostileMessages(t *testing.T) {
	t.Parallel()
	eachModeInMemory(t, func(t *testing.T, memory *redisbustest.Memory, opts redisadapter.Options) {
		var refused atomic.Int64
		opts.MaxMessage = 8 << 20
		opts.Hooks.Malformed = func(string, error) { refused.Add(1) }
		p := startTwo(t, opts, over(memory))
		p.works(t, "the start")
		base := "fault#/#"
		channels, payloads := []string{base, base + "r#", "fault-request#/#", "fault-response#/#"}, malformed()
		if opts.Mode == redisadapter.Sharded {
			channels, payloads = channels[:2], append(payloads, malformedSharded()...)
		}
		foreign := memory.Node()
		defer foreign.Close()
		send := func(channel, payload string) {
			t.Helper()
			if err := foreign.Publish(t.Context(), redisbus.Message{Channel: channel, Payload: []byte(payload)}, true); err != nil {
				t.Fatal(err)
			}
		}
		for _, channel := range channels {
			for _, payload := range payloads {
				before, events := refused.Load(), p.socket.Len()
				send(channel, payload)
				adaptertest.Eventually(t, fmt.Sprintf("%.60q on %s is refused", payload, channel), func() bool { return refused.Load() > before })
				if p.socket.Len() != events {
					t.Errorf("%.60q on %s became an event", payload, channel)
				}
			}
			for _, payload := range ignored() {
				send(channel, payload)
			}
			send(channel, strings.Repeat("x", opts.MaxMessage+1))
		}
		events := p.socket.Len()
		p.works(t, "hostile messages")
		for _, r := range p.socket.Received()[:events] {
			if !strings.HasPrefix(r.Data, `["e",`) {
				t.Errorf("a socket got %.100s", r.Data)
			}
		}
		for i, c := range p.clusters {
			if c.Stats().Malformed == 0 {
				t.Errorf("node %d has counted nothing", i)
			}
		}
	})
}

// requests gets the payloads of a channel.
type requests chan string

func (r requests) Active() bool                                  { return true }
func (r requests) Receive(_, payload string, _ redisbus.Backlog) { r <- payload }

// Answers that nobody has asked for, too many, and of the wrong kind, do not
// complete or fill a request.
func TestHostileAnswers(t *testing.T) {
	memory := redisbustest.New()
	opts := redisadapter.Options{Prefix: "h", MaxMessage: 1 << 20, Hooks: redisadapter.Hooks{Malformed: func(string, error) {}}}
	p := startTwo(t, opts, over(memory))
	p.works(t, "the start")
	foreign := memory.Node()
	defer foreign.Close()
	requests := make(requests, 1)
	foreign.Subscribe(requests, redisbus.Target{Kind: redisbus.Channel, Name: "h-request#/#"})
	done := make(chan error, 1)
	var infos []adapter.SocketInfo
	go func() { // three are expected: the other node, and this client that never answers
		var err error
		infos, err = p.nodes[0].Adapter.FetchSockets(t.Context(), adapter.Selection{})
		done <- err
	}()
	_, rest, _ := strings.Cut(<-requests, `"requestId":"`)
	id, _, _ := strings.Cut(rest, `"`)
	send := func(answer, id string) {
		t.Helper()
		if err := foreign.Publish(t.Context(), redisbus.Message{Channel: "h-response#/#", Payload: fmt.Appendf(nil, answer, id)}, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, answer := range []string{
		`{"requestId":%q,"type":8,"clientCount":-5}`, `{"requestId":%q,"type":8,"clientCount":5}`, `{"requestId":%q,"type":9,"packet":1}`,
		`{"requestId":%q,"type":6,"data":1}`, `{"requestId":%q,"rooms":["x"]}`, `{"requestId":%q}`, `{"requestId":%q,"sockets":["id"]}`,
		`{"requestId":%q,"sockets":[{"id":"` + strings.Repeat("x", 900<<10) + `"}],"rooms":["` + strings.Repeat("x", 200<<10) + `"]}`,
	} {
		send(answer, id)
	}
	send(`{"requestId":%q,"sockets":[{"id":"another"}]}`, id)
	if err := <-done; err != nil || len(infos) != 2 {
		t.Errorf("got %d sockets, %v; want the other node's and the last", len(infos), err)
	}
}
