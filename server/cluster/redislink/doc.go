// Package redislink has what the packages that use Redis share about connections: which
// ones are open, so that all can be replaced when they lead to the wrong server (Links),
// where the master is (Sentinels), and why Redis cannot be used, in words for operators
// (Reason). It knows neither channels nor messages.
package redislink
