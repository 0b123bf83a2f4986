# The commands of this repository. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/bin:$(PATH)

# Pinned; NATS's server is pinned by go.mod, the linter by .golangci/go.mod.
NATS_CLI := github.com/nats-io/natscli/nats@v0.5.1
KUSTOMIZE := sigs.k8s.io/kustomize/kustomize/v5@v5.8.2

# Packages with goroutines: all except the pure arithmetic, where -race takes ten
# times as long and cannot find anything.
PURE := /(job|tree|plan|numeric|model|optim|gradient|metric|serial|wire)$$
RACE = $$(go list ./coordinator/... ./worker/... ./shared/... | grep -vE '$(PURE)')

# Long tests of sequential training; the race detector needs only a few of the steps.
LONG = ^TestAStoppedJobGoesOnFromItsFolder$$|^TestMoreEpochsAreTheSameAsAllAtOnce$$|^TestAJobThatStopsEarlyIsTheSameForAnyFleet$$

FUZZTIME ?= 30s
BENCHTIME ?= 1s
SEEDS ?= 25000
SCENARIOS ?= 200
MINUTES ?= 10
PEERS ?=
RECOVERY ?=
GROWTH ?=
SPEC ?= deployments/jobs/digits.yaml

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Both programs, into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./coordinator ./worker

.PHONY: tools
tools: bin/nats bin/nats-server ## The nats CLI and a nats-server, into bin/

bin/nats: Makefile
	GOBIN=$(CURDIR)/bin go install $(NATS_CLI)
	@touch $@

bin/nats-server: go.mod
	CGO_ENABLED=0 go build -trimpath -o $@ github.com/nats-io/nats-server/v2
	@touch $@

.PHONY: train
train: ## Train one job in one process: make train SPEC=deployments/jobs/digits.yaml
	go run ./coordinator train $(SPEC)

.PHONY: coupons
coupons: ## Fetch the coupons from the folder in TRIBUTARY_DATASETS, into an ignored folder
	deployments/data/fetch.sh coupons

.PHONY: mnist
mnist: ## Fetch MNIST with the Go tool, into an ignored folder
	deployments/data/mnist.sh

.PHONY: schema
schema: | bin ## Write deployments/jobs/schema.json from the Go types
	go run ./coordinator schema > bin/schema.json
	mv bin/schema.json deployments/jobs/schema.json

bin:
	@mkdir -p bin

.PHONY: fmt
fmt: ## Format all Go code
	go tool -modfile=.golangci/go.mod golangci-lint fmt

.PHONY: check
check: ## Format, vet, build, shell scripts
	@unformatted=$$(gofmt -l coordinator worker shared deployments); \
	  [ -z "$$unformatted" ] || { echo "not gofmt'ed: $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags e2e ./...
	go build ./...
	shellcheck .ci/run $$(git ls-files '*.sh')

.PHONY: lint
lint: ## golangci-lint, as pinned in .golangci/go.mod
	go tool -modfile=.golangci/go.mod golangci-lint config verify
	go tool -modfile=.golangci/go.mod golangci-lint run

.PHONY: test
test: ## All tests that need nothing but Go and a redis-server
	go test ./...

.PHONY: race
race: ## The tests of all packages with goroutines under the race detector
	go test -race -timeout 20m -skip '$(LONG)' $(RACE)

.PHONY: e2e
e2e: tools mnist coupons ## The README's walk-through, and real processes that are killed
	deployments/e2e/readme.sh
	go test -tags e2e -count 1 -timeout 15m ./deployments/e2e/...

.PHONY: simulate
simulate: ## Whole fleets in fake time, each from a seed: SEEDS=25000
	go test -count 1 -timeout 0 -run Seeds ./deployments/sim -seeds $(SEEDS)

.PHONY: chaos
chaos: ## Real processes under seeded faults: SCENARIOS=200
	go run ./deployments/chaos --scenarios $(SCENARIOS)

.PHONY: soak
soak: ## Job after job under churn, and a picture of the memory and keys in use: MINUTES=10
	go run ./deployments/chaos soak --minutes $(MINUTES)

.PHONY: compose-test
compose-test: tools ## The compose deployment, end to end, on a real Docker engine
	deployments/e2e/compose.sh

.PHONY: kubernetes
kubernetes: | bin ## Build the manifests with kustomize, and test the result
	go run $(KUSTOMIZE) build deployments/kubernetes > bin/kubernetes.yaml
	go test -count 1 ./deployments/kubernetes -built $(CURDIR)/bin/kubernetes.yaml

.PHONY: bench
bench: ## All benchmarks; BENCHTIME=20x for a short run
	@for dir in $$(git grep -l '^func Benchmark' -- '*_test.go' | xargs -r -n 1 dirname | sort -u); do \
	  go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./$$dir; \
	done

.PHONY: bench-peers
bench-peers: mnist ## The same trainings in PyTorch and here, interleaved: PEERS='--repeats 5 --only "^b "'
	go run ./deployments/bench/peers $(PEERS)

.PHONY: bench-growth
bench-growth: mnist ## Curves over workers, parameters, jobs, rows, tasks: GROWTH='--only rows'
	go run ./deployments/bench/growth $(GROWTH)

.PHONY: bench-phases
bench-phases: mnist ## Where the time of a step goes, as a table: PHASES='--only "c 2"'
	go run ./deployments/bench/phases $(PHASES)

.PHONY: bench-wires
bench-wires: mnist ## Bytes of a step and accuracy with every wire format: WIRES='--workers 2'
	go run ./deployments/bench/wires $(WIRES)

.PHONY: bench-recovery
bench-recovery: mnist ## What the death of the busy worker costs a job: RECOVERY='--repeats 20'
	go run ./deployments/bench/recovery $(RECOVERY)

.PHONY: fuzz
fuzz: ## All fuzz targets one after the other, FUZZTIME=30s each
	deployments/e2e/fuzz.sh $(FUZZTIME)

.PHONY: ci
ci: ## Every check of a change
	.ci/run

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
