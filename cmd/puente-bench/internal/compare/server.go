package compare

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
	"github.com/puente-io/puente/cmd/puente-bench/internal/sio"
)

// Errors of this package.
var (
	ErrUnknownServer = errors.New("compare: unknown server")
	ErrStart         = errors.New("compare: server did not start")
)

const (
	secret     = "a secret of the benchmark, at least thirty-two bytes long"
	startLimit = 20 * time.Second
)

// Server is a server to compare.
type Server struct {
	// Name is its name in -servers and the key of its results.
	Name string
	// Title is its name in tables.
	Title string

	dir     string // the peer's directory, or Puente's executable
	own     bool   // a build of Puente, not a peer
	prepare func(ctx context.Context, s *Server) error
	command []string // set by prepare
	version string   // set by prepare
	failure string   // reason why it could not be prepared
}

// Names of peers. Ratios refer to node if it is compared.
const (
	node = "node"
	bun  = "bun"
)

// Servers returns the servers with the given names. peers is the directory of the peers, binary Puente's executable. A
// name of the form name=path adds another executable of Puente, to compare builds. The error wraps ErrUnknownServer.
func Servers(names []string, peers, binary string) ([]*Server, error) {
	var all []*Server
	for _, name := range names {
		name, build, isBuild := strings.Cut(name, "=")
		if slices.ContainsFunc(all, func(s *Server) bool { return s.Name == name }) {
			return nil, fmt.Errorf("%w: duplicate name %q", ErrUnknownServer, name)
		}
		s := &Server{Name: name, dir: filepath.Join(peers, name)}
		if isBuild {
			s.Title, s.dir, s.own, s.prepare = name, build, true, preparePuente
			all = append(all, s)
			continue
		}
		switch name {
		case node:
			s.Title, s.prepare = "Node", prepareNode
		case bun:
			s.Title, s.prepare = "Bun", prepareBun
		case "zishang520":
			s.Title, s.prepare = "zishang520", prepareGo
		case "puente":
			s.Title, s.dir, s.own, s.prepare = "Puente", binary, true, preparePuente
		default:
			return nil, fmt.Errorf("%w: %q; must be node, bun, zishang520, puente, or name=path for a build of Puente", ErrUnknownServer, name)
		}
		all = append(all, s)
	}
	return all, nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compare: %s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// packageVersion returns the name and version of an npm package that is installed in dir.
func packageVersion(dir, name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "node_modules", name, "package.json"))
	if err != nil {
		return "", err
	}
	var p struct{ Version string }
	if err := json.Unmarshal(b, &p); err != nil {
		return "", err
	}
	return name + " " + p.Version, nil
}

// versions returns the versions of a runtime and of packages as text.
func versions(dir, runtime string, packages ...string) (string, error) {
	parts := []string{runtime}
	for _, name := range packages {
		v, err := packageVersion(dir, name)
		if err != nil {
			return "", err
		}
		parts = append(parts, v)
	}
	return strings.Join(parts, ", "), nil
}

func prepareNode(ctx context.Context, s *Server) error {
	if _, err := output(ctx, s.dir, "npm", "ci"); err != nil {
		return err
	}
	v, err := output(ctx, s.dir, "node", "--version")
	if err != nil {
		return err
	}
	s.command = []string{"node", filepath.Join(s.dir, "server.mjs")}
	s.version, err = versions(s.dir, "Node "+v, "socket.io", "engine.io", "ws", "@socket.io/redis-adapter", "redis", "socket.io-msgpack-parser")
	return err
}

func prepareBun(ctx context.Context, s *Server) error {
	if _, err := output(ctx, s.dir, "npm", "ci"); err != nil {
		return err
	}
	// Each platform has its own package with an executable. An install script of the package bun, if npm runs it, moves the
	// right one into the package's own directory.
	binaries, err := filepath.Glob(filepath.Join(s.dir, "node_modules", "@oven", "*", "bin", "bun"))
	if err != nil {
		return err
	}
	binaries = append(binaries, filepath.Join(s.dir, "node_modules", "bun", "bin", "bun.exe"))
	var tried error
	for _, bin := range binaries {
		v, err := output(ctx, ".", bin, "--version")
		if err != nil { // for another C library
			tried = errors.Join(tried, err)
			continue
		}
		s.command = []string{bin, filepath.Join(s.dir, "server.mjs")}
		s.version, err = versions(s.dir, "Bun "+v, "socket.io", "@socket.io/bun-engine")
		return err
	}
	return fmt.Errorf("compare: npm installed no Bun that runs on this system: %w", tried)
}

func prepareGo(ctx context.Context, s *Server) error {
	bin := filepath.Join(s.dir, "zishang520")
	if _, err := output(ctx, s.dir, "go", "build", "-o", "zishang520", "."); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(bin)
	if err != nil {
		return err
	}
	s.version = info.GoVersion
	for _, dep := range info.Deps {
		if dep.Path == "github.com/zishang520/socket.io/v2" {
			s.version += ", " + dep.Path + " " + dep.Version
		}
	}
	s.command = []string{bin}
	return nil
}

func preparePuente(_ context.Context, s *Server) error {
	info, err := buildinfo.ReadFile(s.dir)
	if err != nil {
		return fmt.Errorf("compare: build Puente first: %w", err)
	}
	s.version = info.GoVersion
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			s.version += ", commit " + setting.Value[:min(12, len(setting.Value))]
		case "vcs.modified":
			if setting.Value == "true" {
				s.version += " with changes"
			}
		}
	}
	s.command = []string{s.dir}
	return nil
}

// limits turns all limits on, so that their cost is measured, but sets them too high to be reached. The peers have the first two;
// Puente has the others, and more by default.
var limits = []string{
	"WS_RATE_LIMIT=1000000000", "WS_PRESENCE_MAX=10",
	"WS_MAX_CONNECTIONS=100000", "WS_MAX_CONNECTIONS_PER_ADDRESS=100000", "WS_MAX_HANDSHAKES_PER_SECOND=100000",
	"WS_MAX_HANDSHAKES_PER_ADDRESS=100000",
}

// runs reports whether the server can run the workload. Of the peers, only Node's has settings for forms of clients.
func (s *Server) runs(spec load.Spec) bool {
	return s.own || len(spec.Forms) == 0 || s.Name == node && !mixesParsers(spec)
}

// mixesParsers reports whether a server needs two parsers at once, which Node's does not have.
func mixesParsers(spec load.Spec) bool {
	return spec.Has(sio.Msgpack) && slices.ContainsFunc(spec.Forms, func(f sio.Form) bool { return f != sio.Msgpack })
}

// settings returns the environment variables without which a server does not accept the clients of a workload.
func settings(spec load.Spec) (env []string) {
	for _, f := range spec.Forms {
		switch f {
		case sio.Deflate:
			env = append(env, "WS_PER_MESSAGE_DEFLATE=true")
		case sio.Protocol3:
			env = append(env, "WS_ALLOW_EIO3=true")
		case sio.Msgpack:
			env = append(env, "PEER_PARSER=msgpack") // Puente needs no setting
		}
	}
	return env
}

// start starts the server on a free port, with additional environment variables, and waits until it accepts connections.
func (s *Server) start(ctx context.Context, env ...string) (*process, error) {
	command, err := filepath.Abs(s.command[0])
	if !strings.ContainsRune(s.command[0], filepath.Separator) {
		command, err = exec.LookPath(s.command[0])
	}
	if err != nil {
		return nil, err
	}
	return launch(s.Title, func(port string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, command, s.command[1:]...)
		cmd.Env = slices.Concat(os.Environ(), limits, []string{"NODE_ENV=production", "HTTP_HOST=127.0.0.1", "HTTP_PORT=" + port, "JWT_SECRET=" + secret}, env)
		return cmd
	})
}
