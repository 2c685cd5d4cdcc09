#!/bin/sh
# Gets the software that we did not write and that tests/centrifugo.rs, tests/foreign_clients.rs,
# tests/payment_page_browser.rs, tests/socket_protocol and tests/web run against: Centrifugo (needs
# Go), the centrifuge client, playwright-core and puppeteer-core for Node, the centrifuge-client crate,
# wasm-bindgen. (Not the browsers: they are the system's.) Run it as often as you like: what is there and
# current is not built again.
#
#     tests/interop/setup.sh                     into target/interop, where the tests look by themselves
#     INTEROP_CACHE=/a/folder tests/interop/setup.sh
#     eval "$(tests/interop/setup.sh)"           the same, and tells the tests where it is
#
# Standard output is shell code and nothing else: the `export` lines. Everything else goes to standard error.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "${INTEROP_CACHE:=$here/../../target/interop}"
cache=$(CDPATH='' cd -- "$INTEROP_CACHE" && pwd)

for tool in go node npm cargo; do
    command -v "$tool" >/dev/null || { echo "setup.sh: $tool is needed, and not on PATH" >&2; exit 1; }
done

# What a build was made from is kept beside it: other inputs, another build.
is_current() { # binary input
    [ -x "$1" ] && cmp -s "$2" "$1.built-from"
}

centrifugo=$cache/centrifugo
if ! is_current "$centrifugo" "$here/centrifugo/go.sum"; then
    echo "setup.sh: building Centrifugo (a minute or two)" >&2
    version=$(sed -n 's,^require github.com/centrifugal/centrifugo/v6 v,,p' "$here/centrifugo/go.mod")
    go build -C "$here/centrifugo" -trimpath -buildvcs=false \
        -ldflags "-s -w -X github.com/centrifugal/centrifugo/v6/internal/build.Version=$version" \
        -o "$centrifugo" github.com/centrifugal/centrifugo/v6 >&2
    cp "$here/centrifugo/go.sum" "$centrifugo.built-from"
fi

modules=$here/npm/node_modules
if ! cmp -s "$here/npm/package-lock.json" "$modules/.built-from"; then
    (cd "$here/npm" && npm ci --no-audit --no-fund) >&2
    cp "$here/npm/package-lock.json" "$modules/.built-from"
fi

# Of the version that the game for browsers is built with.
version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' "$here/web/Cargo.lock")
bindgen=$cache/wasm-bindgen
if ! "$bindgen/bin/wasm-bindgen" --version 2>/dev/null | grep -qxF "wasm-bindgen $version"; then
    echo "setup.sh: building wasm-bindgen (two minutes or so)" >&2
    cargo install --quiet wasm-bindgen-cli --version "$version" --root "$bindgen" --target-dir "$bindgen/build" >&2
    rm -r "$bindgen/build"
fi
"$here/web.sh" >/dev/null

# Cargo knows by itself what is current.
cargo build --quiet --locked --manifest-path "$here/centrifuge-client/Cargo.toml" \
    --target-dir "$cache/centrifuge-client" >&2

cat <<END
export CENTRIFUGO_BIN='$centrifugo'
export CENTRIFUGE_CLIENT_BIN='$cache/centrifuge-client/debug/centrifuge-client-peer'
END
