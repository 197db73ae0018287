package load

import "github.com/puente-io/puente/cmd/puente-bench/internal/stats"

// Result is the result of a run. Fields that were not measured are 0: the server's if its process is unknown, the memory of
// connections except for Idle.
type Result struct {
	Spec Spec `json:"spec"`
	// Messages is how many messages were completed in Seconds; PerSecond is their ratio.
	Messages  int64   `json:"messages"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	// CPU is the server's user and system time per message, in microseconds.
	CPU float64 `json:"cpuMicros"`
	// ClientCPU is the CPU time per message of the load generator, in microseconds.
	ClientCPU float64 `json:"clientCpuMicros"`
	// BrokerCPU is the CPU time per message of Redis, in microseconds.
	BrokerCPU float64 `json:"brokerCpuMicros,omitempty"`
	// Latency is the latency of messages, in milliseconds.
	Latency stats.Latency `json:"latencyMs"`
	// RSS is the server's resident memory in bytes at the end, with all connections open.
	RSS int64 `json:"rss"`
	// Peak is the sum of the nodes' peak resident memory, in bytes. Only for Burst.
	Peak int64 `json:"peak,omitempty"`
	// Lost, Twice and Late count deliveries that did not arrive, arrived again, or arrived after a later one. Only for Burst;
	// in other workloads they end the run.
	Lost  int64 `json:"lost,omitempty"`
	Twice int64 `json:"twice,omitempty"`
	Late  int64 `json:"late,omitempty"`
	// BaseRSS is RSS after a few warm-up connections, before the measured ones are opened. Only for Idle.
	BaseRSS int64 `json:"baseRss,omitempty"`
	// IdleKiB and UsedKiB are the resident memory per connection above BaseRSS, before and after traffic. Only for Idle.
	IdleKiB float64 `json:"idleKiB,omitempty"`
	UsedKiB float64 `json:"usedKiB,omitempty"`
}
