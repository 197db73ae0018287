package compat_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// transcript is a parsed file of transcripts/. Its items in order make up the file.
type transcript struct {
	kind    string // "socket.io" or "engine.io"
	options string // JSON, by Node's names
	cases   []string
	items   []item
	pauses  bool
}

// item is a part of a transcript: lines to keep unchanged, and at most one step.
type item struct {
	line   int // of the first line, from 1
	raw    []string
	send   *send
	expect *expectation
	pause  time.Duration
}

// send is a step of the client on a connection.
type send struct {
	conn string
	op   string   // ">" request or control, ">>" text, ">b" binary, ">z" and ">zb" the same compressed, ">x" raw bytes
	text string   // the rest of the line
	head []string // header lines of a request
	body *string  // of a request
	hex  bool     // the body is in hexadecimal
}

// expectation is the next answer on one connection, or one answer on each of several, in any order.
type expectation struct {
	conns   []string
	answers []answer
	differs bool
	instead []answer // Puente's answers, if differs
}

// answer is a rendered answer, one element per line: "< 200", "< Content-Type: text/html", "<< ok".
type answer []string

var (
	stepLine  = regexp.MustCompile(`^([a-z][a-z0-9]*(?:\|[a-z][a-z0-9]*)*) (>>|>zb|>[bxz]|>|<<|<zb|<[bmz]|<|!!|!zb|![bmz]|!)(?: (.*))?$`)
	isRequest = regexp.MustCompile(`^[A-Z]+ /`)
)

func readTranscript(path string) (*transcript, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &transcript{kind: "socket.io", options: "{}"}
	because := false
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if err := t.parseLine(i+1, line, &because); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return t, nil
}

func (t *transcript) parseLine(n int, line string, because *bool) error {
	keep := func(it item) {
		it.line, it.raw = n, []string{line}
		t.items = append(t.items, it)
	}
	if m := stepLine.FindStringSubmatch(line); m != nil {
		conn, op, text := m[1], m[2], m[3]
		switch op[0] {
		case '<':
			t.parseAnswer(n, conn, op, text)
			return nil
		case '!':
			return t.parseInstead(line, conn, op, text, *because)
		}
		*because = false
		if s := t.openRequest(conn); s != nil && !isRequest.MatchString(text) && (op == ">" || op == ">>" || op == ">b") && text != "eof" {
			t.items[len(t.items)-1].raw = append(t.items[len(t.items)-1].raw, line)
			if op == ">" {
				s.head = append(s.head, text)
			} else {
				s.body, s.hex = &text, op == ">b"
			}
			return nil
		}
		keep(item{send: &send{conn: conn, op: op, text: text}})
		return nil
	}
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case line == "" || word[0] == '#':
		keep(item{})
	case word == "server":
		t.kind = rest
		keep(item{})
	case word == "options":
		t.options = rest
		keep(item{})
	case word == "case":
		t.cases = append(t.cases, rest)
		keep(item{})
	case word == "because":
		if !regexp.MustCompile(`^(CONTRACT|HARDENING|PROTOCOL)[^:]*: .{10}`).MatchString(rest) {
			return fmt.Errorf("a reason must cite CONTRACT, HARDENING or PROTOCOL: %q", line)
		}
		*because = true
		keep(item{})
	case word == "pause":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		t.pauses = true
		keep(item{pause: d})
	default:
		return fmt.Errorf("unknown line: %q", line)
	}
	return nil
}

// openRequest returns the request of conn at the end of t, if further lines may belong to it.
func (t *transcript) openRequest(conn string) *send {
	if len(t.items) == 0 {
		return nil
	}
	s := t.items[len(t.items)-1].send
	if s == nil || s.conn != conn || s.op != ">" || !isRequest.MatchString(s.text) || s.body != nil {
		return nil
	}
	return s
}

// parseAnswer adds a line to the answer above it if the line continues that answer, else it starts a new one.
func (t *transcript) parseAnswer(n int, conn, op, text string) {
	rendered := strings.TrimSuffix(op+" "+text, " ")
	conns := strings.Split(conn, "|")
	var e *expectation
	if len(t.items) > 0 {
		if last := t.items[len(t.items)-1].expect; last != nil && strings.Join(last.conns, "|") == conn {
			e = last
		}
	}
	if e != nil {
		a := &e.answers[len(e.answers)-1]
		status := regexp.MustCompile(`^< [1-5]\d\d$`).MatchString((*a)[0])
		header := op == "<" && strings.Contains(text, ": ")
		body := isBody(op) && (*a)[0] != "< 101" && !isBody((*a)[len(*a)-1])
		if status && (header || body) {
			*a = append(*a, rendered)
			return
		}
		if len(e.answers) < len(conns) {
			e.answers = append(e.answers, answer{rendered})
			return
		}
	}
	t.items = append(t.items, item{line: n, expect: &expectation{conns: conns, answers: []answer{{rendered}}}})
}

// parseInstead adds a line of Puente's own answer to the expectation before it.
func (t *transcript) parseInstead(line, conn, op, text string, because bool) error {
	if !because {
		return fmt.Errorf("a difference needs a line \"because\" before it: %q", line)
	}
	t.items = append(t.items, item{raw: []string{line}})
	for i := len(t.items) - 1; i >= 0; i-- {
		e := t.items[i].expect
		if e == nil {
			continue
		}
		if strings.Join(e.conns, "|") != conn {
			break
		}
		e.differs = true
		if text == "nothing" {
			return nil
		}
		rendered := strings.ReplaceAll(op, "!", "<") + " " + text
		if k := len(e.instead) - 1; k >= 0 && strings.HasPrefix(e.instead[k][0], "< ") && continues(e.instead[k], op, text) {
			e.instead[k] = append(e.instead[k], rendered)
		} else {
			e.instead = append(e.instead, answer{rendered})
		}
		return nil
	}
	return fmt.Errorf("a difference must follow the answer it replaces: %q", line)
}

func continues(a answer, op, text string) bool {
	if !regexp.MustCompile(`^< [1-5]\d\d$`).MatchString(a[0]) || a[0] == "< 101" && op != "!" {
		return false
	}
	return op == "!" && strings.Contains(text, ": ") || isBody(strings.ReplaceAll(op, "!", "<")) && !isBody(a[len(a)-1])
}

// isBody reports whether a line of an HTTP answer is its body.
func isBody(line string) bool { return strings.HasPrefix(line, "<<") || strings.HasPrefix(line, "<b") }

// write writes t to path, with the recorded answers.
func (t *transcript) write(path string) error {
	var b strings.Builder
	for _, it := range t.items {
		for _, line := range it.raw {
			b.WriteString(line + "\n")
		}
		if it.expect == nil {
			continue
		}
		for _, a := range it.expect.answers {
			for _, line := range a {
				b.WriteString(strings.Join(it.expect.conns, "|") + " " + line + "\n")
			}
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
