// Package log is the logger of programs that were written for
// github.com/zishang520/engine.io/v2/log. It writes plain text: colours, and the
// colour tags of that package, are left out. Puente itself logs with log/slog.
package log

import (
	"io"
	"log"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
)

// Flags of a logger, those of package log.
const (
	Ldate         = log.Ldate
	Ltime         = log.Ltime
	Lmicroseconds = log.Lmicroseconds
	Llongfile     = log.Llongfile
	Lshortfile    = log.Lshortfile
	LUTC          = log.LUTC
	Lmsgprefix    = log.Lmsgprefix
	LstdFlags     = log.LstdFlags
)

// Settings of the loggers that NewLog makes afterwards, but DEBUG, which counts for
// all. Set them before the program uses several goroutines.
var (
	DEBUG            = false // together with the variable DEBUG it turns Debug on
	Output io.Writer = os.Stderr
	Prefix           = ""
	Flags            = 0
)

// Log is a logger. Its methods format like fmt.Sprintf and are safe for concurrent
// use.
type Log struct {
	*log.Logger
	prefix atomic.Pointer[string]
	debug  *regexp.Regexp // the prefixes whose Debug lines are written, or nil
}

// NewLog returns a logger whose lines start with the prefix. The environment
// variable DEBUG says which prefixes may debug; "*" stands for any text.
func NewLog(prefix string) *Log {
	l := &Log{Logger: log.New(Output, Prefix, Flags)}
	if prefix != "" {
		l.SetPrefix(prefix)
	}
	if scope := strings.TrimSpace(os.Getenv("DEBUG")); scope != "" {
		l.debug = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(scope), `\*`, ".*") + "$")
	}
	return l
}

// Prefix returns the prefix.
func (l *Log) Prefix() string {
	if p := l.prefix.Load(); p != nil {
		return *p
	}
	return ""
}

// SetPrefix sets the prefix.
func (l *Log) SetPrefix(prefix string) {
	l.prefix.Store(&prefix)
	l.Logger.SetPrefix(prefix + " ")
}

func (l *Log) write(format string, args []any) { l.Logger.Printf(format, args...) }

// Println writes a line. Like the other methods it formats, unlike package log's.
func (l *Log) Println(format string, args ...any)  { l.write(format, args) }
func (l *Log) Printlnf(format string, args ...any) { l.write(format, args) }

// The methods below write a line too; on a terminal the original colours them
// differently.

func (l *Log) Default(format string, args ...any)    { l.write(format, args) }
func (l *Log) Defaultf(format string, args ...any)   { l.write(format, args) }
func (l *Log) Info(format string, args ...any)       { l.write(format, args) }
func (l *Log) Infof(format string, args ...any)      { l.write(format, args) }
func (l *Log) Success(format string, args ...any)    { l.write(format, args) }
func (l *Log) Successf(format string, args ...any)   { l.write(format, args) }
func (l *Log) Error(format string, args ...any)      { l.write(format, args) }
func (l *Log) Errorf(format string, args ...any)     { l.write(format, args) }
func (l *Log) Warning(format string, args ...any)    { l.write(format, args) }
func (l *Log) Warningf(format string, args ...any)   { l.write(format, args) }
func (l *Log) Secondary(format string, args ...any)  { l.write(format, args) }
func (l *Log) Secondaryf(format string, args ...any) { l.write(format, args) }
func (l *Log) Question(format string, args ...any)   { l.write(format, args) }
func (l *Log) Questionf(format string, args ...any)  { l.write(format, args) }

// Debug writes a line if DEBUG is set, and the environment variable DEBUG names
// this logger.
func (l *Log) Debug(format string, args ...any) {
	if DEBUG && l.debug != nil && l.debug.MatchString(l.Prefix()) {
		l.write(format, args)
	}
}

// Debugf is Debug.
func (l *Log) Debugf(format string, args ...any) { l.Debug(format, args...) }

// Fatal writes a line and ends the process with status 1.
func (l *Log) Fatal(format string, args ...any) {
	l.write(format, args)
	os.Exit(1)
}

// Fatalf is Fatal.
func (l *Log) Fatalf(format string, args ...any) { l.Fatal(format, args...) }
