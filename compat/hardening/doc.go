// Package hardening holds the tests of what has broken servers of this kind:
// advisories, and what users of other servers report most. Each drives a whole
// server from outside. HARDENING.md, one directory up, says which test answers
// for which claim.
package hardening
