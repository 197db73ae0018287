package config

import (
	"io"
	"os"
)

// Default returns the configuration of a node whose environment is empty: in memory, in
// development, at port 3001.
func Default() Config {
	cmd, err := Parse(nil, func(string) string { return "" }, io.Discard)
	if err != nil {
		panic(err) // a test keeps the defaults valid
	}
	return cmd.Config
}

// FromEnv returns the configuration of the process's environment, as the command puente
// reads it without flags. Misspelled variables are among its Warnings. Errors wrap
// ErrUsage and have a line for each variable that is wrong.
func FromEnv() (Config, error) {
	cmd, err := Parse(nil, os.Getenv, io.Discard)
	if err != nil {
		return Config{}, err
	}
	cmd.Config.Notes = Misspelled(os.Environ())
	return cmd.Config, nil
}
