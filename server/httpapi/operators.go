package httpapi

import "net/http"

// live reports that the process is running.
func (a *api) live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"healthy": true})
}

// readiness is the response of /readyz.
type readiness struct {
	Ready    bool   `json:"ready"`
	Reason   string `json:"reason,omitzero"`
	Degraded any    `json:"degraded,omitempty"`
}

// ready reports whether the node accepts traffic. A degraded node does, unless the
// cluster is required.
func (a *api) ready(w http.ResponseWriter, _ *http.Request) {
	out, status := a.readiness()
	writeJSON(w, status, out)
}

// check is ready for load balancers without a configured path, such as HAProxy with a
// bare "option httpchk". It answers 204 instead of 200.
func (a *api) check(w http.ResponseWriter, _ *http.Request) {
	out, status := a.readiness()
	if status != http.StatusOK {
		writeJSON(w, status, out)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) readiness() (out readiness, status int) {
	h := a.svc.HealthCheck()
	out = readiness{Ready: true}
	if h.Degraded != nil {
		out.Degraded = h.Degraded
	}
	if out.Reason = a.opts.Ready(); out.Reason == "" && !h.Healthy {
		out.Reason = h.Reason
	}
	if out.Reason != "" {
		out.Ready = false
		return out, http.StatusServiceUnavailable
	}
	return out, http.StatusOK
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	h := a.svc.HealthCheck()
	status := http.StatusOK
	if !h.Healthy {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, h)
}

func (a *api) stats(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, a.svc.Stats())
}
