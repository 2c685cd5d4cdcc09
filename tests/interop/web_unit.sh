#!/usr/bin/env bash
# Runs the unit tests in a browser: compiled for wasm32-unknown-unknown, in headless Chromium.
#
#     tests/interop/web_unit.sh              all of them
#     tests/interop/web_unit.sh indexed_db   those with this in their names
#
# Needs the target wasm32-unknown-unknown, Chromium with its driver (Debian's chromium-driver), and the
# wasm-bindgen-test-runner that tests/interop/setup.sh installs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${INTEROP_CACHE:-$here/../../target/interop}

export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$cache/wasm-bindgen/bin/wasm-bindgen-test-runner
export WASM_BINDGEN_TEST_WEBDRIVER_JSON=$here/webdriver.json
# In seconds. The tests with random purchases take half a minute.
export WASM_BINDGEN_TEST_TIMEOUT=300

output=$(mktemp)
trap 'rm "$output"' EXIT
cd "$here/../.."
.ci/with-target wasm32-unknown-unknown cargo test --lib --features event_queue --locked "$@" | tee "$output"
# The runner is content if there are no tests.
grep -q '^test result: ok\. [1-9]' "$output" || { echo 'no test was run' >&2; exit 1; }
