package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/puente-io/puente/server/ident"
)

// ErrUsage is wrapped by errors about arguments and variables. Their text has a line for
// each mistake, which names the variable or flag.
var ErrUsage = errors.New("config: invalid")

// usageError keeps ErrUsage out of the text.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return ErrUsage }

func errorf(format string, args ...any) error {
	return &usageError{strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")}
}

// Action is what a command line asks to do.
type Action int

const (
	// Serve runs a node.
	Serve Action = iota
	// MintToken prints a development token.
	MintToken
	// Done does nothing: Parse has printed the help or the version.
	Done
)

// Command is a parsed command line.
type Command struct {
	Action Action
	Config Config // if Action is MintToken, only HTTPPort, JWTSecret, JWTIssuer and JWTAudience are set
	Token  Token  // set if Action is MintToken
}

// Token has the claims that "puente token" signs with HS256, with Config.JWTSecret or, if
// that is not set, with the secret that the node at Config.HTTPPort generated for its run.
type Token struct {
	User  ident.ID
	Roles []string
	Rooms []string      // nil: every room
	TTL   time.Duration // at least a second
}

// Parse reads args, which do not include the command's name, and the environment through
// getenv, such as os.Getenv. It writes help and version to stdout and has no other
// effect. Its errors wrap ErrUsage, except errors of stdout.
func Parse(args []string, getenv func(string) string, stdout io.Writer) (Command, error) {
	args, command, err := splitCommand(args)
	switch {
	case err != nil:
		return Command{}, err
	case command == "token":
		return parseToken(args, getenv, stdout)
	case command == "version":
		args = append([]string{"--version"}, args...)
	}
	var d draft
	c := newCommandLine(serveUsage)
	c.notes = serveNotes
	version := c.flags.Bool("version", false, "print the version and exit")
	c.add(d.settings())
	if help, err := c.parse(args, stdout); help || err != nil {
		return Command{Action: Done}, err
	}
	if *version {
		_, err := fmt.Fprintln(stdout, "puente", Version())
		return Command{Action: Done}, err
	}
	given := func(name string) bool { return c.isSet(name, getenv) }
	d.ConnectionsPerAddressSet = given("WS_MAX_CONNECTIONS_PER_ADDRESS")
	d.HandshakesPerAddressSet = given("WS_MAX_HANDSHAKES_PER_ADDRESS")
	if err := errors.Join(c.resolve(getenv), d.validate(given)); err != nil {
		return Command{}, err
	}
	return Command{Config: d.Config}, nil
}

// commands are the sub-commands.
var commands = []string{"serve", "token", "version", "help"}

// splitCommand removes the sub-command from the arguments; "help" becomes --help of the
// command that it names.
func splitCommand(args []string) (rest []string, command string, err error) {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return args, "serve", nil
	}
	command, rest = args[0], args[1:]
	if command == "help" {
		help := []string{"--help"}
		if len(rest) == 0 {
			return help, "serve", nil
		}
		command, rest = rest[0], help
	}
	if slices.Contains(commands, command) && command != "help" {
		return rest, command, nil
	}
	if meant := nearest(command, commands); meant != "" && meant != command {
		return nil, "", errorf("unknown command %q: did you mean %s?", shortened(command), meant)
	}
	return nil, "", errorf("unknown command %q: the commands are serve, token, version and help", shortened(command))
}

func parseToken(args []string, getenv func(string) string, stdout io.Writer) (Command, error) {
	cmd := Command{Action: MintToken}
	c := newCommandLine(tokenUsage)
	user := c.flags.String("user", "", "user `id` (required)")
	c.flags.StringSliceVar(&cmd.Token.Roles, "role", nil, "`role` such as admin; repeatable")
	rooms := c.flags.StringSlice("rooms", nil, "`rooms` that the user may join, such as order-*; --rooms= for none (default: every room)")
	ttl := c.flags.String("ttl", "1h", "lifetime: a `duration` such as 90s or 1d")
	port := c.flags.String("port", "", "`port` of the node whose secret signs it, if JWT_SECRET is not set (default HTTP_PORT, PORT or 3001)")
	var d draft
	var settings []setting
	for _, s := range d.settings() {
		switch s.name {
		case "JWT_SECRET", "JWT_ISSUER", "JWT_AUDIENCE":
			settings = append(settings, s)
		}
	}
	c.add(settings)
	if help, err := c.parse(args, stdout); help || err != nil {
		return Command{Action: Done}, err
	}
	wrong := []error{c.resolve(getenv)}
	cmd.Config = d.Config
	if lifetime := millis(&cmd.Token.TTL, time.Second, 10*365*24*time.Hour); !lifetime.set(*ttl) {
		wrong = append(wrong, errorf("--ttl=%q: must be %s", shortened(*ttl), lifetime.allowed))
	}
	var err error
	if !c.flags.Changed("user") {
		wrong = append(wrong, errorf("--user is required: the user that the token is for"))
	} else if cmd.Token.User, err = ident.String(*user); err != nil {
		wrong = append(wrong, errorf("--user=%q: must be %s", shortened(*user), ident.Allowed))
	}
	if !cmd.Config.JWTSecret.IsSet() {
		if !c.flags.Changed("port") {
			*port = cmp.Or(getenv("HTTP_PORT"), getenv(portVariable), "3001")
		}
		if v := number(&cmd.Config.HTTPPort, 1, 65535); !v.set(*port) {
			wrong = append(wrong, errorf("--port=%q: must be %s", shortened(*port), v.allowed))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return Command{}, err
	}
	if c.flags.Changed("rooms") {
		cmd.Token.Rooms = append([]string{}, *rooms...)
	}
	return cmd, nil
}

// Version returns the version of the module that the program was built from, or
// "(devel)" if the build does not record it.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
