// Package redislink has what redisbus and redispresence share: [Links] closes all
// connections of a client when they lead to the wrong server, [Sentinels] finds the
// master, and [Reason] turns an error into a text for operators. It knows neither
// channels nor messages.
package redislink
