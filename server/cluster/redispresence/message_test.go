package redispresence

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/ident"
	"github.com/puente-io/puente/server/presence"
)

func ops() []op {
	return []op{
		{connect, "d1", id("ann")},
		{join, "d1", id(`a "room" of äöü`)},
		{connect, "d2", ident.OfInt(42)},
		{join, "d2", id("42")},
		{leave, "d2", ident.OfInt(-7)},
		{leave, "d1", id(strings.Repeat("😀", 256))},
		{disconnect, "d1", ident.ID{}},
		{disconnect, "d2", ident.ID{}},
	}
}

func pack(list []op) *packer {
	p := new(packer)
	for _, o := range list {
		p.add(o)
	}
	return p
}

func TestMessageRoundTrip(t *testing.T) {
	for _, want := range []message{
		{kind: delta, from: "node", seq: 1 << 40, ops: ops()},
		{kind: state, from: "node", seq: 8, index: 3, count: 4, ops: ops()},
		{kind: beat, from: "n", seq: 0, index: 1},
		{kind: bye, from: strings.Repeat("n", maxNodeName), seq: 1<<64 - 1},
	} {
		got, err := decode(pack(want.ops).message(want.kind, want.from, want.seq, want.index, want.count))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestMessageGolden(t *testing.T) {
	got := pack([]op{{connect, "d", id("ann")}, {join, "d", ident.OfInt(7)}, {disconnect, "d", ident.ID{}}}).
		message(delta, "N", 3, 0, 0)
	want := "\x97\x01\xa1N\x01\x03\x00\x00\x98" + "\x00\xa1d\xa5\"ann\"" + "\x01\xc0\xa17" + "\x05\xc0"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A message of a later version, of a kind or with an operation that is not known, is
// ignored: the first is no error, and both change nothing.
func TestMessageOfLaterVersion(t *testing.T) {
	now := time.Now()
	ps := newPeers("self", presence.NewView(), newTimes(time.Second), 100, now)
	m, err := decode(pack([]op{{codes, "d", id("ann")}}).message(kinds, "node", 3, 0, 0))
	if err != nil {
		t.Errorf("a message of an unknown kind: %v", err)
	}
	if err := ps.take(m, now); err != nil || len(ps.nodes) != 0 {
		t.Errorf("a message of an unknown kind: %d nodes, %v", len(ps.nodes), err)
	}
	for _, c := range []code{2, 4, codes} {
		if _, err := decode(pack([]op{{c, "d", id("ann")}}).message(delta, "node", 3, 0, 0)); err == nil {
			t.Errorf("operation %d was accepted", c)
		}
	}
}

// A truncated message is malformed and does not panic.
func TestMessageTruncated(t *testing.T) {
	whole := pack(ops()).message(delta, "node", 8, 0, 0)
	for i := range whole {
		if _, err := decode(whole[:i]); err == nil {
			t.Errorf("the first %d of %d bytes were decoded", i, len(whole))
		}
	}
	if _, err := decode(append(whole, 0)); err == nil {
		t.Error("a message with an extra byte was decoded")
	}
}

// A device in very many rooms does not make a message larger than maxFrameBytes.
func TestStateIsCutIntoChunks(t *testing.T) {
	p := presence.NewView().Part("node")
	p.Connect("d", id("ann"))
	for i := range 5000 {
		p.Join("d", id(fmt.Sprint(i, strings.Repeat("é", 240))))
	}
	b := newOutbox("node", newChannels("p"), 0)
	frames := b.state(nil, p, new(order), "c")
	total := 0
	for i, f := range frames {
		m, err := decode(f.payload)
		if err != nil || m.index != uint64(i) || m.count != uint64(len(frames)) {
			t.Fatalf("chunk %d: %v, %+v", i, err, m)
		}
		total += len(m.ops)
	}
	if total != 5001 || len(frames) < 20 {
		t.Errorf("%d operations in %d chunks, want 5001 in at least 20", total, len(frames))
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(pack(ops()).message(delta, "node", 8, 0, 0))
	f.Add(pack(ops()[:2]).message(state, "node", 8, 1, 2))
	f.Add(encode(beat, "node", 1, 1))
	f.Add([]byte("\x97\x01\xa1N\x01\x03\x00\x00\xdd\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil {
			return
		}
		again := pack(m.ops).message(m.kind, m.from, m.seq, m.index, m.count)
		m2, err := decode(again)
		if err != nil || !reflect.DeepEqual(m, m2) {
			t.Fatalf("%+v decodes as %+v, %v after encoding", m, m2, err)
		}
		if !bytes.Equal(again, pack(m2.ops).message(m2.kind, m2.from, m2.seq, m2.index, m2.count)) {
			t.Fatal("two encodings of one message differ")
		}
	})
}
