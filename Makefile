SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

# The tag, or the commit; builds from an archive, which has neither, say it
# themselves: make build VERSION=v1.0.0.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
stamp := $(if $(VERSION),-X github.com/farmtrust/farmtrust/internal/version.release=$(VERSION))

# Tools run from source, in the versions of a module of their own.
tool := go tool -modfile=$(CURDIR)/tools/go.mod
supply := go tool -modfile=$(CURDIR)/tools/supply/go.mod
modules := . standalone tools tools/supply tools/otlphttp

.PHONY: help build test test-product test-standalone topology lint fmt tidy tidy-check generate reliability sbom vulnerabilities

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 18

build: ## build farmtrust, farmtrust-worker, farmtrust-standalone and farmsim in bin/
	go build -ldflags "$(stamp)" -o bin/farmtrust ./starter
	go build -ldflags "$(stamp)" -o bin/farmtrust-worker ./worker
	go build -o bin/farmsim ./internal/farmsim/cmd/farmsim
	go build -C standalone -ldflags "$(stamp)" -o ../bin/farmtrust-standalone .

test: test-product test-standalone ## run all tests

# The race detector watches everything but the innermost loops of cryptography, which
# share nothing: with it, opening a PFX of 600,000 iterations takes seven seconds of a
# processor, without it half a second.
race := -race -gcflags=crypto/internal/fips140/...=-race=false -gcflags=golang.org/x/crypto/pbkdf2=-race=false

# The packages that take longest begin first, so that none runs alone at the end.
test-product: ## run the product's tests, with the race detector
	go test $(race) -timeout 60m ./workflows ./internal/powershell ./internal/farmsim/... ./...

# Without the race detector: building the embedded Temporal server with it takes
# longer than everything else together, and our own code has run under it in its
# own module.
test-standalone: ## run the end-to-end tests, with a sample of the reliability table
	go test -C standalone -timeout 40m ./...

# Temporal's programs are built in the versions of docker-compose.yml, which takes
# minutes the first time; out/topology keeps them.
topology: ## run the services of docker-compose.yml as processes, on an installed PostgreSQL, and kill each
	FARMTRUST_POSTGRES=$${FARMTRUST_POSTGRES:-$(lastword $(sort $(wildcard /usr/lib/postgresql/*/bin)))} \
		go test -count=1 -timeout 30m -v -run '^TestTopology_' ./deploy

# workflowcheck lists the calls that lead to a finding, indented, hundreds of
# lines for some; its first line says what to fix.
lint: tidy-check ## run the linters and workflowcheck, which include go vet
	$(tool) golangci-lint run ./...
	cd standalone && $(tool) golangci-lint run ./...
	cd tools/otlphttp && $(tool) golangci-lint run ./...
	$(tool) workflowcheck ./workflows/... 2>&1 | { grep -v '^ ' || true; }

fmt: ## format the code
	$(tool) golangci-lint fmt ./...
	cd standalone && $(tool) golangci-lint fmt ./...
	cd tools/otlphttp && $(tool) golangci-lint fmt ./...

tidy: ## add missing requirements to go.mod and remove unused ones, in every module
	for module in $(modules); do go mod -C $$module tidy || exit; done

tidy-check: ## check that tidy would change nothing
	for module in $(modules); do go mod -C $$module tidy -diff || exit; done

# From the programs as they are built: a list of what could be built says less.
sbom: build ## list the modules of each program, with hashes and licences, in out/sbom (CycloneDX)
	mkdir -p out/sbom
	for program in farmtrust farmtrust-worker farmtrust-standalone; do \
		$(supply) cyclonedx-gomod bin -json -licenses -std -noserial -version "$(or $(VERSION),v0)" -output out/sbom/$$program.cdx.json bin/$$program || exit; \
	done

vulnerabilities: ## compare the code that is called with the Go vulnerability database, over the network
	$(supply) govulncheck ./...
	cd standalone && $(supply) govulncheck ./...

generate: ## write deploy/sharepoint-task from internal/powershell
	go test ./internal/powershell -run '^TestShippedScripts_AreCurrent$$' -count=1 -update

reliability: ## run every cell of the reliability table (half an hour); write out/reliability.md
	go test -C standalone ./reliability -v -timeout 120m -full -at-once 10 -out $(CURDIR)/out/reliability.md
