// Package isotime formats times as JavaScript does, which is how clients and other
// servers read them.
package isotime

import "time"

// Layout is the format of JavaScript's toISOString for years up to 9999, for times in
// UTC.
const Layout = "2006-01-02T15:04:05.000Z"

// Append appends the time in UTC, formatted with Layout, several times as fast as
// AppendFormat: the service sends two timestamps with each event.
func Append(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 1000 || year > 9999 {
		return t.AppendFormat(dst, Layout)
	}
	hour, minute, second := t.Clock()
	two := func(n int) (byte, byte) { return '0' + byte(n/10), '0' + byte(n%10) }
	c1, c2 := two(year / 100)
	y1, y2 := two(year % 100)
	m1, m2 := two(int(month))
	d1, d2 := two(day)
	h1, h2 := two(hour)
	i1, i2 := two(minute)
	s1, s2 := two(second)
	ms := t.Nanosecond() / 1e6
	f1, f2 := two(ms / 10)
	return append(dst, c1, c2, y1, y2, '-', m1, m2, '-', d1, d2, 'T', h1, h2, ':', i1, i2, ':', s1, s2, '.', f1, f2, '0'+byte(ms%10), 'Z')
}
