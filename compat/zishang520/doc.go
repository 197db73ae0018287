// Package zishang520 has no code. The packages below it offer the API of
// github.com/zishang520/socket.io/v2 on top of Puente, for programs that move from that
// library. README.md says how; the tests of this package move some and run them.
package zishang520
