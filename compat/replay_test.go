package compat_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// target is a kind of server to replay transcripts against. start returns the server's host:port.
type target struct {
	start   func(t *testing.T, kind, options string) string
	differs bool // the answers marked `!` apply
}

// replayAll replays every transcript against the target, each in a subtest with the name of its file.
func replayAll(t *testing.T, to target) {
	paths, err := filepath.Glob("transcripts/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			tr, err := readTranscript(path)
			if err != nil {
				t.Fatal(err)
			}
			addr := to.start(t, tr.kind, tr.options)
			if *update && !to.differs {
				if err := replay(tr, addr, to.differs, 1, true); err != nil {
					t.Fatalf("%s:%v", path, err)
				}
				if err := tr.write(path); err != nil {
					t.Fatal(err)
				}
				return
			}
			err = replay(tr, addr, to.differs, 1, false)
			if err != nil && tr.pauses {
				t.Logf("with short pauses: %s:%v", path, err)
				err = replay(tr, addr, to.differs, 10, false)
			}
			if err != nil {
				t.Fatalf("%s:%v", path, err)
			}
		})
	}
}

// session is one replay of one transcript.
type session struct {
	addr   string
	conns  map[string]*conn
	ids    captures
	record bool
	// recovery: the server has it, so that events end with an offset.
	recovery bool
}

// replay sends the client's steps of a transcript, and compares the server's answers or records them.
func replay(tr *transcript, addr string, differs bool, slowness time.Duration, record bool) error {
	s := &session{addr: addr, conns: map[string]*conn{}, ids: captures{}, record: record, recovery: strings.Contains(tr.options, "connectionStateRecovery")}
	defer func() {
		for _, c := range s.conns {
			c.close()
		}
	}()
	for _, it := range tr.items {
		var err error
		switch {
		case it.send != nil:
			err = s.send(it.send)
		case it.pause > 0:
			time.Sleep(it.pause * slowness)
		case it.expect != nil:
			err = s.expect(it.expect, differs)
		}
		if err != nil {
			return fmt.Errorf("%d: %w", it.line, err)
		}
	}
	return s.unexpected()
}

func (s *session) send(step *send) error {
	text, err := s.ids.expand(step.text)
	if err != nil {
		return err
	}
	if step.op != ">" || !isRequest.MatchString(text) {
		c := s.conns[step.conn]
		if c == nil {
			return fmt.Errorf("connection %s is not open", step.conn)
		}
		return c.send(step.op, text)
	}
	if err := s.unexpectedOn(step.conn); err != nil {
		return err
	}
	if old := s.conns[step.conn]; old != nil {
		old.close()
	}
	var head []string
	for _, h := range step.head {
		h, err := s.ids.expand(h)
		if err != nil {
			return err
		}
		head = append(head, h)
	}
	body := step.body
	switch {
	case step.hex:
		data, err := parseBytes(*body)
		if err != nil {
			return err
		}
		body = new(string(data))
	case body != nil:
		expanded, err := s.ids.expand(*body)
		if err != nil {
			return err
		}
		body = &expanded
	}
	s.conns[step.conn], err = dial(s.addr, text, head, body)
	return err
}

func (s *session) expect(e *expectation, differs bool) error {
	want := e.answers
	if differs && e.differs {
		want = e.instead
	}
	var got []answer
	for i := range want {
		name := e.conns[i%len(e.conns)]
		c := s.conns[name]
		if c == nil {
			return fmt.Errorf("connection %s is not open", name)
		}
		a, ok := c.next()
		if !ok && s.record {
			return fmt.Errorf("%s: no answer to record", name)
		}
		if differs && len(want) == 1 {
			a = s.pollOn(name, want[0], a)
		}
		got = append(got, a)
	}
	if s.record {
		slices.SortFunc(got, func(a, b answer) int { return slices.Compare(a, b) })
		for i, a := range got {
			got[i] = s.ids.record(a, s.recovery)
		}
		e.answers = got
		return nil
	}
	left := slices.Clone(got)
	for _, w := range want {
		i := slices.IndexFunc(left, func(a answer) bool { return s.ids.matches(w, a) })
		if i < 0 {
			return fmt.Errorf("answer on %s\nexpected\n%sgot\n%s", strings.Join(e.conns, "|"), indent(want), indent(s.named(got)))
		}
		left = slices.Delete(left, i, i+1)
	}
	return nil
}

// pollOn polls again while the answer has fewer packets than Node's, and returns all packets as one answer. Node answers
// a POST after handling it; Puente may answer it before, so the same packets may be spread over more polls, which
// Engine.IO protocol 4 allows (Payload).
func (s *session) pollOn(name string, want, got answer) answer {
	c := s.conns[name]
	if !strings.HasPrefix(c.line, "GET ") || !strings.Contains(c.line, "&sid=") || strings.Contains(c.line, "&j=") {
		return got
	}
	framing := framing4
	if strings.Contains(c.line, "EIO=3") {
		framing = framing3
	}
	last := len(want) - 1
	for len(got) == len(want) && strings.HasPrefix(want[last], "<< ") && framing.packets(got[last]) < framing.packets(want[last]) {
		c.close()
		next, err := dial(s.addr, c.line, c.head, nil)
		if err != nil {
			return got
		}
		c, s.conns[name] = next, next
		more, _ := c.next()
		if !slices.Equal(more[:len(more)-1], got[:last]) {
			return append(slices.Clone(got), more...)
		}
		got = append(slices.Clone(got[:last]), got[last]+framing.separator+strings.TrimPrefix(more[len(more)-1], "<< "))
	}
	return got
}

// framing is how a polling payload, as it is shown, joins its packets.
type framing struct {
	separator string
	packets   func(line string) int
}

var (
	framing4 = framing{`\x1e`, func(line string) int { return strings.Count(line, `\x1e`) + 1 }}
	framing3 = framing{"", packets3}
)

// packets3 counts the packets of a line with a payload of protocol 3: lengths in UTF-16 units, which precede the packets.
func packets3(line string) int {
	body := strings.TrimPrefix(line, "<< ")
	body = captureRef.ReplaceAllString(body, strings.Repeat("x", 20))
	body, _ = captures{}.expand(body)
	units := utf16.Encode([]rune(body))
	n := 0
	for len(units) > 0 {
		colon := slices.Index(units, ':')
		if colon < 0 {
			break
		}
		length, _ := strconv.Atoi(string(utf16.Decode(units[:colon])))
		units = units[min(colon+1+length, len(units)):]
		n++
	}
	return n
}

func (s *session) named(got []answer) []answer {
	var named []answer
	for _, a := range got {
		named = append(named, s.ids.record(a, s.recovery))
	}
	return named
}

// unexpected returns an error if a connection has an answer that the transcript does not expect.
func (s *session) unexpected() error {
	for name := range s.conns {
		if err := s.unexpectedOn(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) unexpectedOn(name string) error {
	c := s.conns[name]
	if c == nil {
		return nil
	}
	select {
	case a := <-c.answers:
		if a[0] != "< eof" {
			return fmt.Errorf("unexpected answer on %s\n%s", name, indent([]answer{a}))
		}
	default:
	}
	return nil
}

func indent(answers []answer) string {
	var b strings.Builder
	for _, a := range answers {
		for _, line := range a {
			b.WriteString("\t" + line + "\n")
		}
	}
	return b.String()
}
