#!/bin/sh
# What building Tidings needs: Rust (the version in rust-toolchain.toml), a C compiler, make and perl (for SQLCipher and
# the OpenSSL inside it). Installs what is missing where it may (Debian and Ubuntu as root); otherwise says what to do.
set -eu

if ! command -v cargo >/dev/null 2>&1; then
    echo "Tidings needs Rust: see https://rustup.rs, then run this again." >&2
    exit 1
fi

# The web app is optional: `cargo xtask web` says what it lacks. Its C code needs clang, where Node.js is there at all.
if command -v node >/dev/null 2>&1 && ! command -v clang >/dev/null 2>&1 \
    && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing: clang"
    apt-get update -qq && apt-get install -y -qq clang || true
fi

# The web app's tests drive a real browser: `setup.sh browser`.
if [ "${1:-}" = browser ] && command -v node >/dev/null 2>&1 && [ ! -x "${CHROMIUM:-/usr/bin/chromium}" ]; then
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        echo "Installing: chromium"
        apt-get update -qq && apt-get install -y -qq chromium fonts-noto-color-emoji
    else
        echo "The web app's tests need Chromium. On Debian: sudo apt-get install chromium; elsewhere say where it is: CHROMIUM=/path/to/chrome" >&2
        exit 1
    fi
fi

missing=""
command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
command -v make >/dev/null 2>&1 || missing="$missing make"
command -v perl >/dev/null 2>&1 || missing="$missing perl"
[ -z "$missing" ] && exit 0

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing:$missing"
    apt-get update -qq && apt-get install -y -qq $missing
else
    echo "Tidings needs a C compiler, make and perl. On Debian or Ubuntu: sudo apt-get install$missing" >&2
    exit 1
fi
