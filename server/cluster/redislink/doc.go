// Package redislink is what the packages that speak with Redis share about their
// connections: which are open, so that all of them can be made again when they
// lead to the wrong server (Links), where the master is (Sentinels), and why Redis
// cannot be used, in words for operators (Reason). It knows neither channels nor
// messages.
package redislink
