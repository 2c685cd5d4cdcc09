#!/bin/sh
# Builds the game of tests/web for browsers, and prints the folder with its page. Needs the target
# wasm32-unknown-unknown, and the wasm-bindgen that tests/interop/setup.sh installs.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "${INTEROP_CACHE:=$here/../../target/interop}"
cache=$(CDPATH='' cd -- "$INTEROP_CACHE" && pwd)

# Cargo knows by itself what is current.
"$here/../../.ci/with-target" wasm32-unknown-unknown \
    cargo build --quiet --locked --manifest-path "$here/web/Cargo.toml" --target-dir "$cache/web" >&2
built=$cache/web/wasm32-unknown-unknown/debug/web-game.wasm
page=$cache/web/page
if [ ! "$page/web-game.js" -nt "$built" ]; then
    "$cache/wasm-bindgen/bin/wasm-bindgen" --target web --no-typescript --out-dir "$page" "$built" >&2
fi
cp "$here/web/index.html" "$here/web/forger.html" "$page"
echo "$page"
