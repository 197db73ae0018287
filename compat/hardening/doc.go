// Package hardening tests a whole server, from outside, against what has broken
// other servers of this kind: published advisories, and what their users report
// most. ../HARDENING.md maps claims to tests.
package hardening
