// The API of github.com/zishang520/socket.io/v2 on top of Puente: a module of its own, because only programs that move from
// that library need it. A release tags the main module first (v1.2.3), requires that version here, and then tags this module
// (compat/zishang520/v1.2.3). The replacement counts only in this repository.
module github.com/puente-io/puente/compat/zishang520

go 1.26.0

require (
	github.com/go-json-experiment/json v1.27.2
	github.com/puente-io/puente v0.0.0-20261130204954-86cb48eca56f
	github.com/redis/go-redis/v9 v9.23.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/ws v1.5.0 // indirect
	github.com/klauspost/compress v1.20.4 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
	github.com/tinylib/msgp v1.6.5 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace github.com/puente-io/puente => ../..
