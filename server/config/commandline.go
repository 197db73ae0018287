package config

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/puente-io/puente/server/internal/clip"
)

const (
	serveUsage = `Puente is a Socket.IO server.

Usage:
  puente [serve] [flags]   run a node
  puente token [flags]     print a token for development
  puente version           print the version
  puente help [command]    print help about puente or a command

Each flag can also be set by the environment variable named on its line. A duration without
a unit is in milliseconds (or write 30s, 5m, 1d), a size in bytes (or write 64KiB, 1MB).

Flags:
`
	serveNotes = `
Permissions of the Redis user, as ACL SETUSER takes them (PREFIX is REDIS_PREFIX, NSP each namespace, / by default):
  classic   +publish +subscribe +psubscribe
  sharded   +spublish +ssubscribe +publish +subscribe
  channels  &PREFIX#NSP#* &PREFIX-request#NSP# &PREFIX-response#NSP#* &PREFIX-presence#*
            (or &*; PSUBSCRIBE needs exactly these patterns, &PREFIX* is not enough)
  used if allowed   +ping +role +unsubscribe +punsubscribe +pubsub|numsub (classic),
                    +ping +role +unsubscribe +sunsubscribe +pubsub|shardnumsub (sharded)
  Redis Cluster     +cluster|slots
  a database other than 0   +select
Without +role a node does not notice if its Redis becomes a replica. Without +pubsub, requests to other
nodes such as fetchSockets fail. Health names the commands that Redis refused.
`
	tokenUsage = `Prints a token for development, signed with HS256 and JWT_SECRET. If JWT_SECRET is not set,
it uses the secret that your development node on this machine generated for its run.

Usage:
  puente token --user ID [flags]

Flags:
`
)

// commandLine reads settings from flags and environment variables.
type commandLine struct {
	flags    *pflag.FlagSet
	usage    string
	notes    string // printed below the flags
	settings []setting
	given    []*given // the flag of each setting
}

// given is the text of a flag. resolve checks it together with the variables, so that
// all errors are reported at once.
type given struct {
	kind string
	text string
}

func (g *given) String() string     { return g.text }
func (g *given) Type() string       { return g.kind }
func (g *given) Set(s string) error { g.text = s; return nil }

func newCommandLine(usage string) *commandLine {
	flags := pflag.NewFlagSet("puente", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return &commandLine{flags: flags, usage: usage}
}

func (c *commandLine) add(settings []setting) {
	c.settings = settings
	for _, s := range settings {
		g := &given{kind: s.value.kind}
		c.given = append(c.given, g)
		help := s.name + ": " + s.help
		if s.fallback != "" {
			help += " (default " + s.fallback + ")"
		}
		flag := c.flags.VarPF(g, flagName(s.name), "", help)
		if s.value.kind == "bool" {
			flag.NoOptDefVal = "true"
		}
	}
}

func flagName(variable string) string {
	return strings.ToLower(strings.ReplaceAll(variable, "_", "-"))
}

// parse reads the arguments. If they ask for help, it prints that and returns true.
func (c *commandLine) parse(args []string, stdout io.Writer) (help bool, err error) {
	// If the flag were not defined, pflag would print a help text of its own.
	wanted := c.flags.BoolP("help", "h", false, "print help and exit")
	if err := c.flags.Parse(args); err != nil {
		text, _, _ := strings.Cut(err.Error(), "=") // the rest may be a secret
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			if meant := nearest(unknown.GetSpecifiedName(), c.flagNames()); meant != "" {
				text += ": did you mean --" + meant + "?"
			}
		}
		return false, errorf("%s", text)
	}
	if *wanted {
		_, err := fmt.Fprint(stdout, c.usage, c.flags.FlagUsagesWrapped(120), c.notes)
		return true, err
	}
	switch {
	case c.flags.NArg() == 0:
		return false, nil
	case c.flags.NArg() == len(args):
		return false, errorf("unexpected argument %q", shortened(args[0]))
	default: // it may be a secret
		return false, errorf("unexpected argument after a flag: write --flag=value")
	}
}

// flagNames returns the names of all flags.
func (c *commandLine) flagNames() (names []string) {
	c.flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// portVariable is the variable in which hosting platforms pass the port to listen on.
// It counts if HTTP_PORT is not set.
const portVariable = "PORT"

// resolve stores each setting from its flag, else its variable, else its default. Its
// error has a line for each value that is not allowed.
func (c *commandLine) resolve(getenv func(string) string) error {
	var wrong []error
	for i, s := range c.settings {
		source, raw := s.name, s.fallback
		if v := getenv(s.name); v != "" {
			raw = v
		} else if v := getenv(portVariable); v != "" && s.name == "HTTP_PORT" {
			source, raw = portVariable, v
		}
		if name := flagName(s.name); c.flags.Changed(name) {
			source, raw = fmt.Sprintf("%s (--%s)", s.name, name), c.given[i].text
		}
		if !s.value.secret {
			raw = strings.TrimSpace(raw)
		}
		if raw == "" && s.fallback == "" || s.value.set(raw) {
			continue
		}
		wrong = append(wrong, errorf("%s=%s: must be %s", source, s.value.shown(raw), s.value.allowed))
	}
	return errors.Join(wrong...)
}

// shown returns the part of an invalid text that a message may show.
func (v value) shown(text string) string {
	if v.show != nil {
		if part := v.show(text); part != "" {
			return fmt.Sprintf("%q", shortened(part))
		}
		return hidden
	}
	if v.secret || strings.Contains(text, pemMark) { // a key in a wrong variable
		return hidden
	}
	return fmt.Sprintf("%q", shortened(text))
}

// isSet reports whether the setting has a flag or a variable.
func (c *commandLine) isSet(name string, getenv func(string) string) bool {
	return getenv(name) != "" || c.flags.Changed(flagName(name))
}

// shortened keeps messages short.
func shortened(s string) string { return clip.Text(s, 80) }
