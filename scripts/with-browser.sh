#!/bin/sh
# Runs the given command, which needs Node.js and Chromium. Where either is missing and cannot be installed, says what to do
# and goes on: the rest is whole without. In CI nothing is left out.
set -eu
cd "$(dirname "$0")/.."
if ! command -v node >/dev/null 2>&1; then
    exec sh scripts/with-node.sh "$@"
fi
if sh scripts/setup.sh browser; then
    exec "$@"
fi
[ -n "${CI:-}" ] && exit 1
echo "Left out, for there is no Chromium: $*" >&2
