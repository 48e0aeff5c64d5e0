# Two commands do all the set-up: `make demo` and `make test`. Both install what they need, from npm and Debian only.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

NODE = $(shell tools/node/find.sh)

.PHONY: help setup demo test check format bench conformance

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: ## install npm dependencies and the Debian packages that Kiln uses
	@./kiln doctor --install >/dev/null

demo: setup ## from examples/moshi to two VMs behind a load balancer, on the pocket cloud
	@./kiln up examples/moshi --yes

test: setup ## all tests; ends with "N passed, N failed"
	@tools/test-packages.sh
	@"$(NODE)" tools/run-tests.ts

check: ## types, lint, format, dead code; fast
	@tools/node/deps.sh "$(NODE)"
	@PATH="$$(dirname "$(NODE)"):$$PATH" node_modules/.bin/tsc -p .
	@node_modules/.bin/oxlint --deny-warnings src tools tests bench conformance
	@node_modules/.bin/oxfmt --check src tools tests bench conformance vitest.config.ts
	@PATH="$$(dirname "$(NODE)"):$$PATH" node_modules/.bin/knip

format: ## format the source
	@node_modules/.bin/oxfmt src tools tests bench conformance vitest.config.ts

bench: setup ## benchmarks, each against a named peer in the same run
	@"$(NODE)" bench/run.ts

conformance: setup ## Google's own tools against the pocket cloud; prints what it skipped, writes docs/conformance.md
	@tools/test-packages.sh
	@"$(NODE)" conformance/run.ts $(CASES)
