package utils

import "github.com/puente-io/puente/compat/zishang520/log"

var shared = log.NewLog("")

// Log returns the logger of the process.
func Log() *log.Log { return shared }
