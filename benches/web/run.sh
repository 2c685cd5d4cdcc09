#!/usr/bin/env bash
# Measures what the crate adds to a game in a browser: the bytes that a player downloads (gzip after wasm-opt -Oz), on
# top of a game without pictures and of one with them; and the time of a frame in which nothing happens. It takes
# some fifteen minutes.
#
# Needs what tests/interop/web_unit.sh needs, and npm, for wasm-opt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
cache=${INTEROP_CACHE:-$root/target/interop}
target=${CARGO_TARGET_DIR:-$root/target}/web_cost
bindgen=$cache/wasm-bindgen/bin
binaryen=$cache/binaryen
[ -x "$binaryen/node_modules/.bin/wasm-opt" ] ||
    npm install --silent --no-audit --no-fund --prefix "$binaryen" binaryen@132.0.0 >&2
# The versions of the dependencies are those of the crate.
cp "$root/Cargo.lock" "$here/Cargo.lock"
cd "$here"

export CARGO_TARGET_DIR=$target

cargo() { "$root/.ci/with-target" wasm32-unknown-unknown cargo "$@"; }

size() { # features
    cargo build --release --features "$1" >&2
    "$bindgen/wasm-bindgen" --target web --no-typescript --remove-name-section --remove-producers-section \
        --out-dir "$target/page" "$target/wasm32-unknown-unknown/release/web-cost.wasm" >&2
    "$binaryen/node_modules/.bin/wasm-opt" -Oz --all-features "$target/page/web-cost_bg.wasm" -o "$target/page/optimized.wasm"
    cat "$target/page/optimized.wasm" "$target/page/web-cost.js" | gzip -9 | wc -c
}

echo '| bytes, gzip | without | with | more |'
echo '|---|---|---|---|'
for game in '' picture; do
    without=$(size "$game")
    with=$(size "$game,plugin")
    echo "| ${game:-no picture} | $without | $with | $((with - without)) |"
done

export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$bindgen/wasm-bindgen-test-runner
export WASM_BINDGEN_TEST_WEBDRIVER_JSON=$root/tests/interop/webdriver.json
export WASM_BINDGEN_TEST_TIMEOUT=300
cargo test --release --features plugin --test frame -- --nocapture
