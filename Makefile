# Needs Go and a C compiler; everything made goes into build/.

GO      ?= go
CC      ?= cc
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)

# Named, so that Go's test cache notices when Fluent Bit comes or goes.
export FLUENT_BIT := $(or $(FLUENT_BIT),$(shell command -v fluent-bit 2>/dev/null))
export VERSION

BUILD   := build
LDFLAGS := -s -w -X main.version=$(VERSION)
# -g0: the C compiler's debug information names the folder; it is stripped, and the build id would still tell.
GOBUILD := CGO_ENABLED=1 CGO_CFLAGS='-O2 -g0' $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
say      = @printf '\033[1m==> %s\033[0m\n' '$(1)'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build sbom reproducible demo test bench lint vulncheck memcheck docker compose-test clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build/in_defender.so (the plugin) and build/defenderctl (the tool)
	$(call say,building in_defender.so and defenderctl $(VERSION))
	@command -v $(CC) >/dev/null || { echo 'make: a C compiler is needed (Debian: apt-get install gcc libc6-dev)' >&2; exit 1; }
	@mkdir -p $(BUILD)
	$(GOBUILD) -buildmode=c-shared -o $(BUILD)/in_defender.so ./plugin
	@rm -f $(BUILD)/in_defender.h
	$(GOBUILD) -o $(BUILD)/defenderctl ./cmd/defenderctl

sbom: build ## what the two are made of: build/*.cdx.json (CycloneDX)
	@cd tools && $(GO) build -o ../$(BUILD)/tools/ ./sbom
	@$(BUILD)/tools/sbom -version '$(VERSION)' $(BUILD)/in_defender.so $(BUILD)/defenderctl
	@ls $(BUILD)/*.cdx.json

# Apart in all that should not matter: folder, caches, time zone, umask.
reproducible: ## the last commit, built twice in different places, gives the same bytes
	@set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	  for place in here over/there; do \
	    mkdir -p "$$work/$$place/tmp"; git archive HEAD | tar x -C "$$work/$$place"; \
	    (cd "$$work/$$place"; case $$place in here) umask 022; export TZ=UTC ;; *) umask 077; export TZ=Asia/Tokyo LANG=C ;; esac; \
	     GOCACHE="$$PWD/cache" TMPDIR="$$PWD/tmp" $(MAKE) -s build VERSION='$(VERSION)'); \
	  done; \
	  for file in in_defender.so defenderctl; do \
	    cmp "$$work/here/$(BUILD)/$$file" "$$work/over/there/$(BUILD)/$$file"; (cd "$$work/here/$(BUILD)"; sha256sum $$file); \
	  done

demo: build ## three simulated customers, the plugin, their alerts on your screen (30 s)
	@$(BUILD)/defenderctl demo --plugin $(BUILD)/in_defender.so

test: ## every test with the race detector; skipped ones are named, with the reason
	$(call say,go test -race ./...)
	@cd tools && $(GO) build -o ../$(BUILD)/tools/ ./testout
	@$(BUILD)/tools/testout -race -count=1 -timeout 5m ./...
	@cd tools && $(GO) test ./...

bench: ## what an alert and an empty poll cost: MB/s and allocations, beside gjson.Valid over the same bytes
	$(GO) test -run '^$$' -bench . -benchmem ./record ./ship

lint: ## gofmt, go vet, staticcheck, the import rules (internal/arch) and govulncheck
	$(call say,gofmt)
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	  test -z "$$unformatted" || { echo "not gofmt'd:"; echo "$$unformatted"; exit 1; } >&2
	$(call say,go vet)
	@$(GO) vet ./...
	$(call say,staticcheck)
	@cd tools && $(GO) build -o ../$(BUILD)/tools/ honnef.co/go/tools/cmd/staticcheck
	@$(BUILD)/tools/staticcheck ./...
	$(call say,import rules)
	@$(GO) test ./internal/arch
	$(call say,govulncheck)
	@cd tools && $(GO) build -o ../$(BUILD)/tools/ golang.org/x/vuln/cmd/govulncheck
	@out=$$($(BUILD)/tools/govulncheck ./... 2>&1) && echo "$$out" || case "$$out" in \
	  *'fetching vulnerabilities: '*) echo "SKIP: its database cannot be reached: $${out##*fetching vulnerabilities: }" ;; \
	  *) echo "$$out" >&2; exit 1 ;; esac

vulncheck: ## known vulnerabilities in what the plugin links (asks vuln.go.dev)
	@cd tools && $(GO) build -o ../$(BUILD)/tools/ golang.org/x/vuln/cmd/govulncheck
	@$(BUILD)/tools/govulncheck ./...

memcheck: ## the plugin in the C test host under valgrind: no leak grows with the batches
	$(GO) test -count=1 -v -run Memcheck ./internal/flbhost

docker: ## the official Fluent Bit image with the plugin in it
	docker build -f docker/Dockerfile -t fluent-bit-defender --build-arg VERSION=$(VERSION) .

compose-test: ## docker compose up, every alert that is owed arrives, down again
	COMPOSE_TEST=1 $(GO) test -count=1 -v -timeout 20m ./docker

clean: ## remove build/
	rm -rf $(BUILD)
