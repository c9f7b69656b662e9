# Everything that a developer or CI runs. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := $(CURDIR)/.cache/bin

# Modules whose code is checked; tools holds only versions of linters.
MODULES := . integration bench plugin/prom

.PHONY: help demo test unit integration predict soak lint bench bench-inspect cost

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14

demo: ## show a group elect, plan, lose its leader and go on, in one process
	go run ./cmd/groupctl demo

test: unit integration ## all tests; on Debian as root it installs what is missing

unit: ## tests that need no Kafka, with the race detector
	scripts/c-compiler.sh
	go vet ./...
	go test -race -timeout 10m ./...
	go test -timeout 10m ./assign
	cd plugin/prom && go test -race ./...

integration: ## tests on a real Kafka in containers
	integration/engine.sh run -- integration/test.sh

predict: ## predictions for every broker and every pair of five, against what Kafka does (35 minutes)
	GROUPKIT_PREDICT_EVERY=1 integration/engine.sh run -- integration/test.sh -v -timeout 60m -run TestPredictionsComeTrue .

# How often each cause makes the leader change in the soak, and which parts of it run.
SOAK ?= 22
SOAK_RUN ?= TestSoak

soak: ## over 300 changes of leaders by every kind of failure, on a real Kafka
	GROUPKIT_SOAK=$(SOAK) integration/engine.sh run -- integration/test.sh -timeout 60m -parallel 8 -v -run '$(SOAK_RUN)' .

lint: $(BIN)/staticcheck ## gofmt, go vet, staticcheck, and tidy go.mod files
	@files=$$(gofmt -l $(wildcard *.go) */) || exit 1; \
	  if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:" $$files; exit 1; fi
	@for module in $(MODULES); do \
	  ( cd $$module && go vet ./... && $(BIN)/staticcheck ./... && go mod tidy -diff ) || exit 1; done

$(BIN)/staticcheck: tools/go.mod tools/go.sum
	go -C tools build -o $@ honnef.co/go/tools/cmd/staticcheck

cost: ## what Run costs beside a bare kgo client, and the adapter beside kgo's balancer; tables for docs/
	go test -run NONE -bench BenchmarkAdapter -benchtime 30x ./member
	integration/engine.sh run -- integration/test.sh -run NONE -bench BenchmarkRunBesideABareClient -benchtime 1x -timeout 10m .

bench: ## Kafka's, kgo's and sarama's assignors beside ours, into docs/benchmarks.md
	$(MAKE) -C bench full

bench-inspect: ## the figures of docs/inspect.md, beside kadm and Kafka's own tool
	GROUPKIT_FULL=1 go test -count=1 -v -run 'TestMemoryOf|TestWatchKeepsToItsRate|TestWatchGoesOnWhereBrokersMisbehave' ./inspect
	GROUPKIT_FULL=1 integration/engine.sh run -- integration/test.sh -v -timeout 15m \
	  -run 'TestLagOfAllGroups|TestTheLeaderIsFound|TestWatchOfAThousand|TestWatchTells(Every|Elections)' .
