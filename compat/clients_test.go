package compat_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/puente-io/puente/compat/nodetest"
)

// everythingOn are the options with which one port serves every kind of client.
const everythingOn = `"allowEIO3":true,"perMessageDeflate":true`

// The lines around the table of TestClients, in the files that have it.
const (
	tableStart = "<!-- written by go test ./compat -run TestClients -update -->\n"
	tableEnd   = "<!-- end -->"
)

// found is what a client could do: for each feature how, or "" if another client of its kind finds it out.
type found struct {
	Kind, Name, Parser, Error string
	Cells                     [][2]string
}

// TestClients lets every kind of official client use Puente, all on one port, and Node's server. Both must give it the same,
// which is the table in README.md and MIGRATION.md.
func TestClients(t *testing.T) {
	script := nodetest.Start(t, "..", "clients.mjs", "socket.io-client-v2")
	probe := func(i int, url, plain string) (f found) {
		answer := script.Ask(t, map[string]any{"client": i, "url": "http://" + url, "plain": "http://" + plain})
		if err := json.Unmarshal([]byte(answer), &f); err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		return f
	}
	puente, plain := startPuente(t, "socket.io", "{"+everythingOn+"}"), startPuente(t, "socket.io", "{}")
	node := startNode(t)
	nodes := map[string][2]string{} // a server of Node has one parser
	var table clientTable
	for i := 0; ; i++ {
		got := probe(i, puente, plain)
		if got.Name == "" {
			break
		}
		servers, ok := nodes[got.Parser]
		if !ok {
			parser := ""
			if got.Parser != "" {
				parser = fmt.Sprintf(`,"parser":%q`, got.Parser)
			}
			servers = [2]string{
				node.serve(t, "socket.io", "{"+everythingOn+parser+"}"),
				node.serve(t, "socket.io", "{"+strings.TrimPrefix(parser, ",")+"}"),
			}
			nodes[got.Parser] = servers
		}
		want := probe(i, servers[0], servers[1])
		if want.Error != "" || got.Error != "" {
			t.Errorf("%s:\nPuente: %s\nNode: %s", got.Name, got.Error, want.Error)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Puente %v\nNode %v", got.Name, got.Cells, want.Cells)
		}
		if err := table.add(got); err != nil {
			t.Errorf("%s: %v", got.Name, err)
		}
	}
	if !t.Failed() {
		for _, path := range []string{"../README.md", "MIGRATION.md"} {
			checkTable(t, path, table.String())
		}
	}
}

// clientTable has a column for each kind of client, and a row for each feature.
type clientTable struct {
	kinds, features []string
	cells           map[[2]string]string // by feature and kind
}

// add adds what a client found. It returns an error if another one of its kind found something else.
func (c *clientTable) add(f found) error {
	if c.cells == nil {
		c.cells = map[[2]string]string{}
	}
	if !slices.Contains(c.kinds, f.Kind) {
		c.kinds = append(c.kinds, f.Kind)
	}
	for _, cell := range f.Cells {
		feature, how := cell[0], cell[1]
		if !slices.Contains(c.features, feature) {
			c.features = append(c.features, feature)
		}
		at := [2]string{feature, f.Kind}
		if old := c.cells[at]; old != "" && how != "" && old != how {
			return fmt.Errorf("%s: %s, others of its kind %s", feature, how, old)
		}
		if how != "" {
			c.cells[at] = how
		}
	}
	return nil
}

func (c *clientTable) String() string {
	var b strings.Builder
	b.WriteString("| socket.io-client | " + strings.Join(c.kinds, " | ") + " |\n|" + strings.Repeat("---|", len(c.kinds)+1) + "\n")
	for _, feature := range c.features {
		b.WriteString("| " + feature)
		for _, kind := range c.kinds {
			b.WriteString(" | " + c.cells[[2]string{feature, kind}])
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// checkTable checks that the file contains the table, or writes it with -update.
func checkTable(t *testing.T, path, table string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(data), tableStart)
	old, after, ok := strings.Cut(rest, tableEnd)
	switch {
	case !ok:
		t.Errorf("%s has no table of clients", path)
	case old == table:
	case *update:
		if err := os.WriteFile(path, []byte(before+tableStart+table+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s: the table of clients is\n%swhat they found is\n%s", path, old, table)
	}
}
