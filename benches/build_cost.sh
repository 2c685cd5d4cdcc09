#!/bin/sh
# Measures what the crate adds to the build of a game: crates, seconds, and bytes of a stripped binary, for
# each set of features. The bytes are those of the profile `release`, and of `shipped`, which is for size as in
# a game that is shipped. The crates are counted on top of a Bevy app with default features, the seconds and
# bytes on top of one with `MinimalPlugins`. The app without the crate is built first, so that only what the
# crate adds is counted.
#
#     benches/build_cost.sh          takes about half an hour, in a folder of its own below the target folder
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
folder=${CARGO_TARGET_DIR:-$root/target}/build_cost
rm -rf "$folder"
mkdir -p "$folder"
export CARGO_TARGET_DIR="$folder/target" CARGO_INCREMENTAL=0

# name, features of bevy, the dependency on this crate, what the app does with it
app() {
    mkdir -p "$folder/$1/src"
    cat >"$folder/$1/Cargo.toml" <<END
[package]
name = "app"
version = "0.1.0"
edition = "2024"
[dependencies]
bevy = { version = "0.19.1"$2 }
$3
[profile.release]
strip = true
[profile.shipped]
inherits = "release"
lto = true
opt-level = "s"
codegen-units = 1
[profile.dev]
debug = "line-tables-only"
END
    cat >"$folder/$1/src/main.rs" <<END
use bevy::prelude::*;
fn main() {
    let mut app = App::new();
    app.add_plugins(MinimalPlugins);
    $4
    app.update();
}
END
    cp "$root/Cargo.lock" "$folder/$1/Cargo.lock"
}

crates() { # app
    (cd "$folder/$1" && cargo tree --quiet --edges normal,build --prefix none --format '{p}' | sed 's/ (.*//' | sort -u)
}

build() { # app, profile: the seconds it takes
    start=$(date +%s.%N)
    (cd "$folder/$1" && cargo build --quiet --profile "$2" >&2)
    echo "$start $(date +%s.%N)" | awk '{ printf "%.0f", $2 - $1 }'
}

size() { stat -c %s "$folder/target/$1/app"; } # profile

plugin='app.add_plugins(bevy_xsolla::XsollaOrderPlugin).insert_resource(bevy_xsolla::XsollaConfig::new(1));'
emulator="$plugin let _ = bevy_xsolla::emulator::XsollaEmulator::start();"
bare=', default-features = false, features = ["std"]'
dependency() { echo "bevy_xsolla = { path = \"$root\"$1 }"; }

app full '' '' ''
crates full >"$folder/of_bevy"
app without "$bare" '' ''
echo "building the app without the crate (release: $(build without release) s, dev: $(build without dev) s) …" >&2
build without shipped >/dev/null
without=$(size release)
without_shipped=$(size shipped)

echo "| features | crates added | s, dev | s, release | bytes, release | bytes, shipped |"
echo "|---|---|---|---|---|---|"
echo "| the app without the crate | $(wc -l <"$folder/of_bevy") | | | $without | $without_shipped |"
mv "$folder/target" "$folder/base"
row() { # label, features in the manifest, code
    app full '' "$(dependency "$2")" ''
    added=$(crates full | comm -13 "$folder/of_bevy" - | wc -l)
    app with "$bare" "$(dependency "$2")" "$3"
    # Starts from what the app without the crate has built.
    rm -rf "$folder/target"
    cp -a "$folder/base" "$folder/target"
    dev=$(build with dev)
    release=$(build with release)
    build with shipped >/dev/null
    bytes="+ $(($(size release) - without)) | + $(($(size shipped) - without_shipped))"
    echo "| $1 | $added | $dev | $release | $bytes |"
}
row 'none' ', default-features = false' "$plugin"
row '`browser`, the default' '' "$plugin"
row 'default and `emulator`' ', features = ["emulator"]' "$emulator"
rm -rf "$folder"
