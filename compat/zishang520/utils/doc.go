// Package utils has the helpers of github.com/zishang520/engine.io/v2/utils that
// programs use: the shared logger, timers, ids and ParameterBag.
package utils
