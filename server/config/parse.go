package config

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/puente-io/puente/server/ident"
)

// ErrUsage is what an error about arguments or variables wraps. The text of such an
// error is one line, which names the variable or flag.
var ErrUsage = errors.New("config: invalid")

// usageError keeps ErrUsage out of the text.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return ErrUsage }

func errorf(format string, args ...any) error {
	return &usageError{strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")}
}

// Action is what a command line asks for.
type Action int

const (
	// Serve is to run a node.
	Serve Action = iota
	// MintToken is to print a development token.
	MintToken
	// Done is nothing: Parse has printed the help or the version.
	Done
)

// Command is a command line that was understood.
type Command struct {
	Action Action
	Config Config // for MintToken, only JWTSecret, JWTIssuer and JWTAudience are set
	Token  Token  // for MintToken
}

// Token is what "puente token" is to sign with Config.JWTSecret, by HS256.
type Token struct {
	User  ident.ID
	Roles []string
	Rooms []string      // nil: every room
	TTL   time.Duration // at least a second
}

// Parse reads the arguments that follow the command's name and the environment as
// getenv tells it (os.Getenv, say). Help and version go to stdout, and nothing else
// is touched. Its errors wrap ErrUsage, but for those of stdout.
func Parse(args []string, getenv func(string) string, stdout io.Writer) (Command, error) {
	if len(args) > 0 && args[0] == "token" {
		return parseToken(args[1:], getenv, stdout)
	}
	var d draft
	c := newCommandLine(serveUsage)
	c.notes = serveNotes
	version := c.flags.Bool("version", false, "print the version and stop")
	c.add(d.settings())
	if help, err := c.parse(args, stdout); help || err != nil {
		return Command{Action: Done}, err
	}
	if *version {
		_, err := fmt.Fprintln(stdout, "puente", Version())
		return Command{Action: Done}, err
	}
	if err := c.resolve(getenv); err != nil {
		return Command{}, err
	}
	d.ConnectionsPerAddressSet = c.isSet("WS_MAX_CONNECTIONS_PER_ADDRESS", getenv)
	d.HandshakesPerAddressSet = c.isSet("WS_MAX_HANDSHAKES_PER_ADDRESS", getenv)
	if err := d.validate(); err != nil {
		return Command{}, err
	}
	return Command{Config: d.Config}, nil
}

func parseToken(args []string, getenv func(string) string, stdout io.Writer) (Command, error) {
	cmd := Command{Action: MintToken}
	c := newCommandLine(tokenUsage)
	user := c.flags.String("user", "", "user `id` (required)")
	c.flags.StringSliceVar(&cmd.Token.Roles, "role", nil, "`role`, such as admin; may be repeated")
	rooms := c.flags.StringSlice("rooms", nil, "`rooms` that may be joined, such as order-*; none: --rooms= (default: every room)")
	ttl := c.flags.String("ttl", "1h", "how long it is valid")
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
	if err := c.resolve(getenv); err != nil {
		return Command{}, err
	}
	cmd.Config = d.Config
	if lifetime := millis(&cmd.Token.TTL, time.Second, 10*365*24*time.Hour); !lifetime.set(*ttl) {
		return Command{}, errorf("--ttl=%q: must be %s", clip(*ttl), lifetime.allowed)
	}
	var err error
	if cmd.Token.User, err = ident.String(*user); err != nil {
		return Command{}, errorf("--user=%q: must be %s", clip(*user), ident.Allowed)
	}
	if c.flags.Changed("rooms") {
		cmd.Token.Rooms = append([]string{}, *rooms...)
	}
	if !cmd.Config.JWTSecret.IsSet() {
		return Command{}, errorf("JWT_SECRET is not set: a token needs the secret that the server has")
	}
	return cmd, nil
}

// Version returns the version of the module that the running program was built
// from, "(devel)" where the build does not tell.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
