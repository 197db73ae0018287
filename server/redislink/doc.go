// Package redislink is what the packages that speak with Redis share about their
// connections: why Redis cannot be used, in words for operators. It knows neither
// channels nor messages.
package redislink
