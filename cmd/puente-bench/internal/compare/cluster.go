package compare

import "strings"

// ClusterMarkdown returns the report of the workloads of Cluster as a Markdown page.
func (r *Report) ClusterMarkdown() string {
	var b strings.Builder
	r.head(&b, "Clusters of two nodes", clusterReading)
	r.overview(&b, "CPU µs per delivery, both nodes")
	r.targetTable(&b, "Targets", clusterTargets, r.Servers)
	for _, spec := range r.Specs {
		r.detail(&b, spec)
	}
	r.failures(&b)
	return b.String()
}

const clusterReading = `Two nodes of a server over one redis-server with its defaults; each run has fresh processes. The load generator runs on
the same machine. Clients connect to the nodes in turn, so that each has half of the members, and one member of the first node
publishes. CPU and memory are those of both nodes together; redis-server's CPU has its own column. Every member checks
what it receives: in a fan-out, a lost, repeated or misordered update ends the run; in a burst it is counted. In parentheses after each
figure is its ratio to %s's, in the overview with the lowest and the highest ratio of a round. If updates are always in flight, latency
is mostly queueing: compare it at the fixed rate.

zishang520's server is missing: its Go module socket.io-go-redis could not be downloaded.
`
