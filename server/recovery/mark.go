package recovery

// A mark is the position of the last event of a room that was dropped early. Sessions that
// were in the room then, and do not know of a later event, are not recovered. Marks may take
// a small part of the node's bytes; if there are more, they are replaced by one for all
// rooms.

// mark marks a room.
func (l *Log[V]) mark(r *room[V], p Position) {
	if r.lost == 0 {
		l.marks++
	}
	r.lost, r.lostAt = p, l.node.now.Load()
	if int64(l.marks)*roomBytes > l.node.maxBytes/16 {
		l.forgetMarks()
	}
}

// forgetMarks makes all marks one that is for all rooms.
func (l *Log[V]) forgetMarks() {
	for name, r := range l.rooms {
		l.lost = max(l.lost, r.lost)
		l.unmark(name, r)
	}
}

// unmark removes the mark of a room.
func (l *Log[V]) unmark(name string, r *room[V]) {
	if r.lost > 0 {
		r.lost = 0
		l.marks--
	}
	l.prune(name, r)
}
