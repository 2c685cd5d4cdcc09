#!/bin/sh
# Runs the benchmarks of news and bursts beside other clients of the same protocol, and prints their tables
# at the end. It gets those clients first, into target/compare: the crate centrifuge-client, npm's
# centrifuge with ws (needs Node), PyPI's centrifuge-python (needs Python 3), each pinned by a file here,
# and Centrifugo by way of tests/interop/setup.sh (needs Go). What the machine cannot build is left out.
#
#     benches/compare/run.sh                     takes about ten minutes
#     BURST_ROUNDS=9 benches/compare/run.sh      runs 9 rounds instead of 5
#     COMPARE_CACHE=/a/folder INTEROP_CACHE=/another benches/compare/run.sh
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$here/../..
mkdir -p "${COMPARE_CACHE:=$root/target/compare}"
COMPARE_CACHE=$(CDPATH='' cd -- "$COMPARE_CACHE" && pwd)
export COMPARE_CACHE

say() { echo "run.sh: $*" >&2; }
has() {
    command -v "$1" >/dev/null && return
    say "there is no $1: going on without $2"
    false
}

say 'the crate centrifuge-client'
CARGO_TARGET_DIR=$COMPARE_CACHE/centrifuge-client cargo build --quiet --release --locked --bin counter \
    --manifest-path "$root/tests/interop/centrifuge-client/Cargo.toml" >&2

if has node 'npm centrifuge' && has npm 'npm centrifuge'; then
    say 'npm centrifuge'
    npm=$COMPARE_CACHE/npm
    mkdir -p "$npm"
    cp "$here/npm/package.json" "$here/npm/.npmrc" "$here/npm/counter.mjs" "$npm"
    if ! cmp -s "$here/npm/package-lock.json" "$npm/node_modules/.built-from"; then
        cp "$here/npm/package-lock.json" "$npm"
        (cd "$npm" && npm ci --no-audit --no-fund) >&2
        cp "$here/npm/package-lock.json" "$npm/node_modules/.built-from"
    fi
fi

if has python3 'PyPI centrifuge-python'; then
    say 'PyPI centrifuge-python'
    pypi=$COMPARE_CACHE/pypi
    if ! cmp -s "$here/pypi/requirements.txt" "$pypi/.built-from"; then
        python3 -m venv "$pypi" >&2
        "$pypi/bin/pip" install --quiet --requirement "$here/pypi/requirements.txt" >&2
        cp "$here/pypi/requirements.txt" "$pypi/.built-from"
    fi
fi

if has go Centrifugo && has npm Centrifugo; then
    say 'Centrifugo'
    tools=$("$root/tests/interop/setup.sh")
    eval "$tools"
fi

say 'the benchmarks themselves (a release build takes a while)'
cd "$root/benches"
cargo bench --locked --no-run --bench latency --bench burst >&2
tables=$(mktemp)
trap 'rm -f "$tables"' EXIT
cargo bench --quiet --locked --bench latency >"$tables"
cargo bench --quiet --locked --bench burst >>"$tables"
cat "$tables"
