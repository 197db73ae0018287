package load

import "github.com/puente-io/puente/cmd/puente-bench/internal/stats"

// Result is what one run of a workload measured. What was not measured is 0: server figures where no process is known, memory of
// connections except for Idle.
type Result struct {
	Spec Spec `json:"spec"`
	// Messages were completed in Seconds, which makes PerSecond.
	Messages  int64   `json:"messages"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	// CPU is the server's user and system time per message, in microseconds.
	CPU float64 `json:"cpuMicros"`
	// ClientCPU is the same of this process: what the measuring itself costs.
	ClientCPU float64 `json:"clientCpuMicros"`
	// BrokerCPU is the same of the process through which nodes talk.
	BrokerCPU float64 `json:"brokerCpuMicros,omitempty"`
	// Latency is of one message, in milliseconds.
	Latency stats.Latency `json:"latencyMs"`
	// RSS is the server's resident memory at the end, all connections still open, in bytes.
	RSS int64 `json:"rss"`
	// Peak is the most resident memory that the server has had, in bytes, of all nodes together. Only of Burst.
	Peak int64 `json:"peak,omitempty"`
	// Lost, Twice and Late are deliveries that did not come, came again, and came after a later one. Only of Burst; elsewhere
	// such a thing breaks the run off.
	Lost  int64 `json:"lost,omitempty"`
	Twice int64 `json:"twice,omitempty"`
	Late  int64 `json:"late,omitempty"`
	// BaseRSS is RSS before any of them, after a few warm-up connections had come and gone. Only of Idle.
	BaseRSS int64 `json:"baseRss,omitempty"`
	// IdleKiB and UsedKiB are resident memory per connection beyond BaseRSS: before any traffic, and after it. Only of Idle.
	IdleKiB float64 `json:"idleKiB,omitempty"`
	UsedKiB float64 `json:"usedKiB,omitempty"`
}
