package recovery

import "time"

// expire implements sweeper: it drops what is too old, and ends the sessions whose window
// has ended.
func (l *Log[V]) expire(now time.Time) {
	for _, s := range l.sweep(now) {
		if l.Expired != nil {
			l.Expired(s)
		}
	}
}

func (l *Log[V]) sweep(now time.Time) (expired []*Session[V]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := now.Add(-l.node.keep).UnixNano()
	for l.events.len() > 0 && l.events.oldest() < before {
		l.aged = l.first()
		l.drop(false)
	}
	if l.waiting > 0 {
		for _, s := range l.sessions {
			if s.state == stored && now.After(s.until) {
				expired = append(expired, s)
				l.End(s)
			}
		}
	}
	if l.marks > 0 {
		for name, r := range l.rooms {
			if r.lost > 0 && r.lostAt < before {
				l.unmark(name, r)
			}
		}
	}
	return expired
}

// oldestEvent implements sweeper: it returns when the oldest event was sent, or 0.
func (l *Log[V]) oldestEvent() int64 { return l.oldest.Load() }

// dropEarly implements sweeper: it drops some of the oldest events.
func (l *Log[V]) dropEarly() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 0; i < 64 && l.events.len() > 0 && l.node.full(); i++ {
		l.drop(true)
	}
}
