#!/bin/sh
# Draws docs/chat.svg, the picture in the README, from a real conversation in two terminals.
set -eu
cd "$(dirname "$0")/.."
TIDINGS_PICTURE="$PWD/docs/chat.svg" cargo test --quiet --package tidings-cli --test story a_picture
echo "docs/chat.svg is drawn."
