package server

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/puente-io/puente/compat/raw"
	"github.com/puente-io/puente/server/config"
	"github.com/puente-io/puente/server/ident"
)

// mint is "puente token --user bob" with the port.
func mint(port int) (string, error) {
	return MintToken(config.Command{Config: config.Config{HTTPPort: port}, Token: config.Token{User: ident.Of("bob"), TTL: 1e12}})
}

// runtimeDirectory gives the test a runtime directory of its own.
func runtimeDirectory(t *testing.T) (dir string) {
	t.Helper()
	base := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", base)
	return filepath.Join(base, "puente")
}

// "puente token" finds the secret of a running node by its port, and the issuer and audience
// that the node requires.
func TestTokenOfTheRun(t *testing.T) {
	dir := runtimeDirectory(t)
	n := start(t, env{"JWT_SECRET": "", "JWT_ISSUER": "shop", "JWT_AUDIENCE": "puente", "SHUTDOWN_TIMEOUT": "0"})
	var token string
	n.until("the secret is kept", func() (ok bool) {
		var err error
		token, err = mint(n.port())
		return err == nil
	})
	c := raw.Connect(t, n.url, raw.Options{Auth: map[string]string{"token": token}})
	if e := c.Next("authenticated"); !strings.Contains(e.Arg(0), `"userId":"bob"`) {
		t.Errorf("authenticated %s", e.Arg(0))
	}
	file := filepath.Join(dir, runSecretName(n.port()))
	if runtime.GOOS != "windows" {
		for path, want := range map[string]os.FileMode{dir: 0o700, file: 0o600} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, want)
			}
		}
	}
	n.stop()
	if err := <-n.ran; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := mint(n.port()); err == nil || !strings.Contains(err.Error(), "JWT_SECRET is not set") || !strings.Contains(err.Error(), strconv.Itoa(n.port())) {
		t.Errorf("no node: %v", err)
	}
}

// A node with a configured key, or in production, writes no file with a secret.
func TestNoSecretIsKept(t *testing.T) {
	dir := runtimeDirectory(t)
	for _, e := range []env{{}, {"NODE_ENV": "production"}, {"NODE_ENV": "staging"}} {
		n := start(t, e)
		n.do("GET", "/healthz", "")
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("files %v", files)
	}
}

// A node replaces a file that a crashed node has left. When it ends, it does not remove a
// file that another node has written since.
func TestStaleSecrets(t *testing.T) {
	runtimeDirectory(t)
	old, err := runSecret{Secret: "of a node that has crashed"}.keep(1)
	if err != nil {
		t.Fatal(err)
	}
	end, err := runSecret{Secret: "of the next"}.keep(1)
	if err != nil {
		t.Fatal(err)
	}
	old()
	if s, err := findRunSecret(1); err != nil || s.Secret != "of the next" {
		t.Errorf("%+v, %v", s, err)
	}
	end()
	if s, err := findRunSecret(1); err == nil {
		t.Errorf("%+v is left", s)
	}
}

// Files and directories that another user could have written are neither read nor written.
func TestStrangeRunDirectories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	for name, prepare := range map[string]func(dir string) error{
		"open to others": func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chmod(dir, 0o755)
		},
		"a link": func(dir string) error {
			if err := os.Mkdir(dir+"-target", 0o700); err != nil {
				return err
			}
			return os.Symlink(dir+"-target", dir)
		},
		"a file": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"of another user": func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chown(dir, 12345, 12345)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := prepare(runtimeDirectory(t)); os.IsPermission(err) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			if _, err := (runSecret{Secret: "x"}).keep(1); err == nil {
				t.Error("a secret is written")
			}
			if _, err := findRunSecret(1); err == nil {
				t.Error("a secret is read")
			}
			// The node runs all the same.
			n := start(t, env{"JWT_SECRET": ""})
			n.do("GET", "/healthz", "")
			n.until("it is in the log", func() bool { return strings.Contains(n.log.String(), "secret of this run not saved") })
		})
	}
	t.Run("a link in it", func(t *testing.T) {
		dir := runtimeDirectory(t)
		elsewhere := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(elsewhere, []byte("left alone"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(dir, runSecretName(1))); err != nil {
			t.Fatal(err)
		}
		if _, err := findRunSecret(1); err == nil {
			t.Error("a link is followed")
		}
		end, err := runSecret{Secret: "x"}.keep(1)
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		if text, _ := os.ReadFile(elsewhere); string(text) != "left alone" {
			t.Errorf("written through a link: %s", text)
		}
	})
}
