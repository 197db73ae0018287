package compare

import "strings"

// ClusterMarkdown returns the report of the workloads of Cluster as a page.
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
publishes. CPU and memory are those of both nodes together; what redis-server takes stands in a column of its own. Every member checks
what it gets: in a fan-out, anything lost, repeated or out of order ends the run; in a burst it is counted. Beside each figure
stands its ratio to %s's, in parentheses, and in the overview the least and the greatest ratio of one round. Where updates are in flight without a pause, latency is mostly the queue that
this makes: compare it at the fixed rate.

zishang520's server is missing: its socket.io-go-redis could not be had as a Go module where this was measured.
`
