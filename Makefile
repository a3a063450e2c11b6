# The commands of this repository. `make help` lists them.
.PHONY: help setup web web-quick run demo test test-long test-web test-web-core lint lint-web install

CARGO ?= cargo
export TIDINGS_DATA ?= ./data

help:        ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

setup:       ## what building needs, installed if it can be, named if it can't
	@sh scripts/setup.sh

# The web app as the tests need it: the same code, compiled faster. A full build that is fresh will do.
web-quick:
	@sh scripts/with-node.sh $(CARGO) xtask web --quick

web: setup   ## the web app, which the server embeds (needs Node.js)
	$(CARGO) xtask web

run: setup   ## build Tidings and start it at http://localhost:3000
	$(CARGO) xtask web --optional
	$(CARGO) run --release --package tidings-cli -- serve

demo: setup  ## two people talk, with a server restart in between
	$(CARGO) build --release --package tidings-cli
	$(CARGO) xtask demo

# The web app is built first, for the server embeds it; what is missing for its tests is said before the long work begins.
test: setup  ## all tests that fit in a coffee break, with a few of the web app in a browser
	@sh scripts/with-browser.sh true
	@$(MAKE) --no-print-directory web-quick
	$(CARGO) test --workspace
	@sh scripts/with-browser.sh $(MAKE) --no-print-directory test-web-core

# With the binary that `cargo test` has made.
test-web-core:
	cd web && TIDINGS_BIN=$$(realpath $${CARGO_TARGET_DIR:-../target}/debug/tidings) npm run --silent e2e -- --grep @core

test-long: setup ## more random worlds and more crashes
	$(CARGO) xtask sim --seeds 500
	$(CARGO) xtask crash --rounds 50

test-web: web ## the web app: its units, and real browsers against the real server (needs Chromium)
	@CI=1 sh scripts/with-browser.sh true
	cd web && npm run --silent test
	$(CARGO) build --package tidings-cli
	cd web && TIDINGS_BIN=$$(realpath $${CARGO_TARGET_DIR:-../target}/debug/tidings) npm run --silent e2e

lint-web: setup web-quick ## types, lint, dead code, texts and units of the web app
	cd web && npm run --silent check && npm run --silent lint && npm run --silent dead && npm run --silent test

lint: setup  ## formatting, clippy, documentation, dependencies, and `lint-web`
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	sh scripts/deny.sh
	@sh scripts/with-node.sh $(MAKE) --no-print-directory lint-web

install: setup ## put the `tidings` command into Cargo's bin folder
	$(CARGO) install --path crates/cli --locked
