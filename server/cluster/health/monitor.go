package health

import (
	"sync"
	"time"
)

const (
	// gapShown is how long a gap is shown: longer than the interval of most monitoring.
	gapShown = 30 * time.Second
	// gapReason begins the reason of a gap.
	gapReason = "messages of other nodes may have been lost: "
)

// Kind is the kind of a Source. If several sources have a reason, Health shows that of
// the lowest Kind.
type Kind uint8

// Source is something that a node needs. Shard is the address of the Redis Cluster shard
// that it belongs to, or empty.
type Source struct {
	Kind  Kind
	Shard string
}

// Reasons are the reasons of the sources that are not well.
type Reasons map[Source]string

// Set sets what is wrong with a source; an empty reason says that nothing is.
func (r Reasons) Set(s Source, reason string) {
	if reason == "" {
		delete(r, s)
	} else {
		r[s] = reason
	}
}

// Clear removes the reasons of all sources of a kind.
func (r Reasons) Clear(k Kind) {
	for s := range r {
		if s.Kind == k {
			delete(r, s)
		}
	}
}

// Monitor derives a node's [Health] from the reasons of its sources. The state of a
// source is what was set last for it, and nothing else changes it. Its methods are
// safe for concurrent use.
type Monitor struct {
	mild    Kind
	changed func(Health) // may be nil

	mu        sync.Mutex
	reasons   Reasons
	gap       string    // reason of the last gap, "" if there is none to be shown
	gapAt     time.Time // since when it is shown
	since     time.Time
	reported  Health   // of the last change
	changes   []Health // for which changed has not been called yet
	reporting bool     // a goroutine calls changed
}

// NewMonitor returns a Monitor that starts degraded because of s. Sources of kind mild
// and above do not make the node disconnected. changed may be nil; it is called without
// locks when the degradation or the reason has changed, once for each change and in their
// order, on the goroutine of one of the changes.
func NewMonitor(s Source, reason string, mild Kind, changed func(Health)) *Monitor {
	m := &Monitor{mild: mild, changed: changed, reasons: Reasons{s: reason}, since: time.Now()}
	m.reported = m.derive()
	return m
}

// Health returns the current health.
func (m *Monitor) Health() Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.derive()
}

// derive derives the health. m.mu must be held.
func (m *Monitor) derive() Health {
	var first Source
	reason := ""
	for s, r := range m.reasons {
		if reason == "" || s.Kind < first.Kind || s.Kind == first.Kind && s.Shard < first.Shard {
			first, reason = s, r
		}
	}
	switch {
	case reason != "":
		return Health{Degraded: true, Connected: first.Kind >= m.mild, Reason: reason, Since: m.since}
	case m.gap != "" && time.Since(m.gapAt) < gapShown:
		return Health{Degraded: true, Connected: true, Reason: gapReason + m.gap, Since: m.since}
	}
	return Health{}
}

// Set sets what is wrong with a source; an empty reason says that nothing is.
func (m *Monitor) Set(s Source, reason string) { m.Update(func(r Reasons) { r.Set(s, reason) }) }

// Gap records that messages of other nodes may have been lost. The health says so for
// 30 s, beginning when the node is connected.
func (m *Monitor) Gap(why string) { m.update(func() { m.gapAt, m.gap = time.Now(), why }) }

// Refresh ends a gap whose time is over.
func (m *Monitor) Refresh() { m.update(func() {}) }

// Update changes several reasons at once. change is called under a lock.
func (m *Monitor) Update(change func(Reasons)) { m.update(func() { change(m.reasons) }) }

func (m *Monitor) update(change func()) {
	m.mu.Lock()
	before := m.reported
	change()
	switch {
	case len(m.reasons) > 0 || before.Degraded && !before.Connected:
		m.gapAt = time.Now() // shown from when this is over
	case time.Since(m.gapAt) >= gapShown:
		m.gap = ""
	}
	after := m.derive()
	if after.Degraded && !before.Degraded {
		m.since = time.Now()
		after.Since = m.since
	}
	m.reported = after
	if m.changed != nil && (after.Degraded != before.Degraded || after.Reason != before.Reason) {
		m.changes = append(m.changes, after)
	}
	report := len(m.changes) > 0 && !m.reporting
	m.reporting = m.reporting || report
	m.mu.Unlock()
	if report {
		m.report()
	}
}

// report calls changed for all changes, those included that other goroutines make
// meanwhile: so the calls are in order.
func (m *Monitor) report() {
	for {
		m.mu.Lock()
		if len(m.changes) == 0 {
			m.reporting, m.changes = false, nil
			m.mu.Unlock()
			return
		}
		h := m.changes[0]
		m.changes = m.changes[1:]
		m.mu.Unlock()
		m.changed(h)
	}
}
