# The commands of this repository. "make help" lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build test test-go test-js fmt lint bench bench-quick bench-cluster bench-hostile bench-micro stress bursts crowd soak fuzz drift clean node-packages system-packages FORCE

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
DIST := server/clientdist

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

run: build ## build, and serve in memory with a token to connect with
	@bin/puente

build: bin/puente ## build bin/puente with the browser's client in it

bin/puente: $(DIST)/VERSION FORCE
	CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags='-s -w' -o $@ ./cmd/puente

test: system-packages node-packages build ## everything: Go tests with -race, fuzz seeds, JavaScript suite
	@bash .ci/test

test-go: system-packages node-packages build ## the Go tests alone
	@bash .ci/test go

test-js: system-packages node-packages build ## the JavaScript suite alone
	@bash .ci/test js

fmt: ## format the Go code
	gofmt -w cmd handlers server compat clienttests

lint: ## vet, gofmt and staticcheck
	go vet work # every module of go.work
	@test -z "$$(gofmt -l cmd handlers server compat clienttests | tee /dev/stderr)"
	go run $(STATICCHECK) -checks inherit,-SA1019,-ST1013 work # tests read whole frames of their own servers

bench: build bin/puente-bench ## Puente against Node, Bun and zishang520, at most 30 minutes; writes clienttests/bench/RESULTS.md
	bin/puente-bench compare -out clienttests/bench

bench-quick: build bin/puente-bench ## Node and Puente in two minutes; prints only
	bin/puente-bench compare -quick

bench-cluster: build bin/puente-bench ## two nodes over one Redis, Puente against Node, about 5 minutes; writes clienttests/bench/CLUSTER.md
	bin/puente-bench cluster -out clienttests/bench

bench-hostile: build bin/puente-bench ## the cost of messages that are expensive to decode, Puente against Node, about 3 minutes; prints only
	bin/puente-bench hostile

bench-micro: ## codecs, room table, whole echo and broadcast, COUNT (6) times, for benchstat
	@go test -run '^$$' -bench . -count $(or $(COUNT),6) $(if $(BENCHTIME),-benchtime $(BENCHTIME)) ./server/engineio/packet \
		./server/socketio/packet ./server/socketio/adapter ./server/internal/notepack ./server/cluster/redispresence \
		./server/engineio ./server/socketio ./handlers

bin/puente-bench: FORCE
	go build -o $@ ./cmd/puente-bench

fuzz: ## run each fuzz target for FUZZTIME (60s)
	@bash .ci/fuzz $(or $(FUZZTIME),60s)

stress: ## bad clients of many kinds at once: DURATION (30s), then PRESENCE (200) rounds of nodes that die, SEED to repeat
	go run ./clienttests/stress $(if $(SEED),-seed $(SEED)) -duration $(or $(DURATION),30s) -presence $(or $(PRESENCE),200)

bursts: build ## bursts of 1 and 10 MB to 1,000 clients and of 100 MB to 50, minutes; shows the memory of the binary
	go run ./clienttests/stress -bursts bin/puente

soak: ## clients come and go for SOAK (10m), SEED to repeat; PUENTE=bin/puente for the binary itself
	go run ./clienttests/soak $(if $(SEED),-seed $(SEED)) $(if $(PUENTE),-puente $(PUENTE)) -duration $(or $(SOAK),10m)

crowd: build ## ten thousand clients lose their server twice and come back, a minute
	go run ./clienttests/crowd

drift: node-packages ## has Node moved? fails if npm has newer reference packages than the lock, or Node answers a transcript otherwise
	@node compat/record/drift.mjs

# The systems that README names: a change that breaks one of them fails in CI.
PLATFORMS := linux/amd64 linux/arm64 darwin/arm64 windows/amd64
.PHONY: cross release

cross: ## does it build on every supported system?
	@for p in $(PLATFORMS); do \
		echo "go build for $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build ./server/... ./handlers ./cmd/puente ./compat/zishang520/... || exit 1; \
	done

release: $(DIST)/VERSION ## static binaries without symbols for every supported system, bin/puente-SYSTEM-ARCHITECTURE
	@for p in $(PLATFORMS); do \
		os=$${p%/*} arch=$${p#*/}; out=bin/puente-$$os-$$arch; \
		if [ $$os = windows ]; then out=$$out.exe; fi; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags '-s -w' -buildvcs=auto -o $$out ./cmd/puente || exit 1; \
		ls -l $$out | awk '{ print $$NF, $$5, "bytes" }'; \
	done

clean: ## remove what was built
	rm -rf bin node_modules $(DIST)/VERSION $(DIST)/*.js $(DIST)/*.map

FORCE:

node-packages: node_modules/.package-lock.json

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# The browser's client, which the binary serves. If npm is missing, the
# binary is built without.
$(DIST)/VERSION: package-lock.json
	@if command -v npm >/dev/null; then \
		test -d node_modules/socket.io/client-dist || npm ci --no-audit --no-fund --loglevel=error; \
		cp node_modules/socket.io/client-dist/*.js node_modules/socket.io/client-dist/*.map $(DIST)/ && \
		node -p 'require("./node_modules/socket.io/package.json").version' > $@; \
	else \
		echo "npm is not there: the browser's client will not be served"; \
	fi

system-packages:
	@bash .ci/packages
