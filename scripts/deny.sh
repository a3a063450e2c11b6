#!/bin/sh
# Licences, sources and advisories of every dependency (deny.toml). The advisory database is fetched from the network;
# where it cannot be reached, the other checks still count.
set -eu
command -v cargo-deny >/dev/null 2>&1 || cargo install cargo-deny --locked --quiet
cargo deny --all-features check licenses bans sources
if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --all-features check advisories
else
    echo "cargo deny: the advisory database cannot be reached from here, advisories were not checked" >&2
fi
