package compat_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// reference lists the packages that the transcripts are recorded from, as the contract names them.
var reference = map[string]string{
	"socket.io": "4.8.4", "engine.io": "6.6.13", "socket.io-parser": "4.2.7", "ws": "8.23.0",
}

// TestReference checks that package-lock.json pins the reference versions, that socket.io uses no other copies of them, and
// that the lock names no registry.
func TestReference(t *testing.T) {
	data, err := os.ReadFile("../package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), `"resolved"`) {
		t.Error("package-lock.json names a registry")
	}
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		t.Fatal(err)
	}
	for name, version := range reference {
		if got := lock.Packages["node_modules/"+name].Version; got != version {
			t.Errorf("%s is %s, the reference is %s", name, got, version)
		}
	}
	for _, user := range []string{"socket.io", "engine.io", "socket.io-adapter"} {
		for name := range reference {
			path := "node_modules/" + user + "/node_modules/" + name
			if own := lock.Packages[path].Version; own != "" {
				t.Errorf("%s has its own %s %s", user, name, own)
			}
		}
	}
}

// TestDriftVersions runs the version check of "make drift" against a fake npm, with and without a newer engine.io.
func TestDriftVersions(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is missing")
	}
	for newest, fails := range map[string]bool{"6.6.13": false, "6.7.0": true} {
		bin := t.TempDir()
		// npm view <package> version
		script := `#!/bin/sh
case "$2" in
socket.io) echo 4.8.4;;
engine.io) echo ` + newest + `;;
*) exec node -p "require('` + abs(t, "../package-lock.json") + `').packages['node_modules/$2'].version";;
esac
`
		if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("node", "record/drift.mjs", "--versions")
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if (err != nil) != fails || strings.Contains(string(out), "engine.io 6.6.13: npm has 6.7.0") != fails {
			t.Errorf("npm has %s: %v\n%s", newest, err, out)
		}
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}
