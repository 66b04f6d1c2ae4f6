# The commands that people and .ci/run share.
SHELL := /bin/bash -o pipefail
tool := go tool -modfile=$(CURDIR)/tools/go.mod

.PHONY: test lint

# The end-to-end tests go without the race detector: building the embedded
# Temporal server with it takes longer than everything else together, and the
# code that is ours has run under it in its own module.
test:
	go test -race -timeout 40m ./...
	go test -C standalone -timeout 40m ./...

# golangci-lint runs go vet too. A finding of workflowcheck comes with the calls
# that lead to it, indented, hundreds of lines for some; the first line says what
# to mend.
lint:
	$(tool) golangci-lint run ./...
	cd standalone && $(tool) golangci-lint run ./...
	$(tool) workflowcheck ./workflows/... 2>&1 | { grep -v '^ ' || true; }
