package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/puente-io/puente/server/config"
)

// runSecret is what "puente token" needs to sign tokens for a node in development that
// generated a secret for its run. The node keeps it in a file of its user, named by
// its port, while it runs. A file left by a crash does no harm: nodes do not read it,
// and the next node has another secret, which refuses its tokens.
type runSecret struct {
	Secret   string `json:"secret"`
	Issuer   string `json:"issuer,omitempty"`
	Audience string `json:"audience,omitempty"`
}

// runDirectory returns the directory of these files: below XDG_RUNTIME_DIR, which the
// system removes with the user's session, else below the user's cache directory.
func runDirectory() (string, error) {
	base := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(base) {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(base, "puente"), nil
}

// openRunDirectory opens the directory as a root that no symbolic link leads out of.
// The user must own it and nobody else may access it, because its files are trusted.
func openRunDirectory(create bool) (*os.Root, error) {
	path, err := runDirectory()
	if err != nil {
		return nil, err
	}
	if create {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || !isPrivate(info) {
		return nil, fmt.Errorf("%s must be a directory that belongs to you, with mode 0700", path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(info, opened) {
		root.Close()
		return nil, fmt.Errorf("%s was replaced while it was opened", path)
	}
	return root, nil
}

func runSecretName(port int) string { return "node-" + strconv.Itoa(port) + ".json" }

// keep writes the file and returns a function that removes it, unless another node
// has replaced it since.
func (s runSecret) keep(port int) (remove func(), err error) {
	root, err := openRunDirectory(true)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		root.Close()
		return nil, err
	}
	name := runSecretName(port)
	root.Remove(name) // a stale file, which may have another mode
	if err := writeNew(root, name, text); err != nil {
		root.Close()
		return nil, err
	}
	return func() {
		defer root.Close()
		if now, err := root.ReadFile(name); err == nil && string(now) == string(text) {
			root.Remove(name)
		}
	}, nil
}

// writeNew writes a file that must not exist yet, for its owner only.
func writeNew(root *os.Root, name string, text []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// findRunSecret returns the secret of the node at the port.
func findRunSecret(port int) (s runSecret, err error) {
	none := func(why error) error {
		return fmt.Errorf("JWT_SECRET is not set, and no secret of a development node of yours was found for port %d: %w", port, why)
	}
	root, err := openRunDirectory(false)
	if err != nil {
		return s, none(err)
	}
	defer root.Close()
	info, err := root.Lstat(runSecretName(port))
	if err == nil && (!info.Mode().IsRegular() || !isPrivate(info)) {
		err = errors.New("the file with the secret must belong to you, with mode 0600")
	}
	if err != nil {
		return s, none(withoutPath(err))
	}
	text, err := root.ReadFile(runSecretName(port))
	if err != nil {
		return s, none(withoutPath(err))
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Secret == "" {
		return s, none(errors.New("the file with the secret is not valid"))
	}
	return s, nil
}

// withoutPath returns the cause of an [fs.PathError], without the path.
func withoutPath(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// withRunSecret sets the secret of a command to that of the node at its port.
func withRunSecret(cmd config.Command) (config.Command, error) {
	kept, err := findRunSecret(cmd.Config.HTTPPort)
	if err != nil {
		return cmd, err
	}
	cmd.Config.JWTSecret = config.NewSecret(kept.Secret)
	if cmd.Config.JWTIssuer == "" {
		cmd.Config.JWTIssuer = kept.Issuer
	}
	if cmd.Config.JWTAudience == "" {
		cmd.Config.JWTAudience = kept.Audience
	}
	return cmd, nil
}
