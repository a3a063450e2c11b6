#!/bin/sh
# Runs the given command, which needs Node.js. Where there is none, says so and goes on: Rust's part is whole without.
# In CI nothing is left out.
set -eu
if command -v node >/dev/null 2>&1; then
    exec "$@"
fi
if [ -n "${CI:-}" ]; then
    echo "Node.js is missing, so the web app cannot be checked: $*" >&2
    exit 1
fi
echo "Left out, for there is no Node.js (https://nodejs.org): $*" >&2
