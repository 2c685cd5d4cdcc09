# The commands for working on this crate, for https://just.systems. Neither CI nor the README needs `just`:
# each recipe is a line or two that can be typed without it.

# List the commands.
_list:
    @just --list --unsorted

# Type-check the library, the examples, the tests and the benchmarks.
check:
    cargo check --all-targets --all-features
    cargo check --all-targets --manifest-path benches/Cargo.toml

# Type-check the library for browsers. Needs `rustup target add wasm32-unknown-unknown`.
check-web:
    cargo check --lib --target wasm32-unknown-unknown

# Run the tests, for example `just test --test purchases`.
test *args:
    cargo test {{ args }}

# Run the tests on Bevy 0.20, with the Rust that it asks for.
test-0-20 *args:
    .ci/with-rust 1.97.1 cargo test --manifest-path bevy-0.20/Cargo.toml {{ args }}

# Run the tests on Windows, in Wine. Needs gcc-mingw-w64-x86-64 and wine64.
test-windows *args:
    .ci/without-renderer target/without-renderer
    .ci/with-wine cargo test --manifest-path target/without-renderer/Cargo.toml --lib --tests {{ args }}

# Get the software that some of the tests run against. Needs Go and Node.
interop:
    tests/interop/setup.sh

# Check the formatting, and run the linter.
lint:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings

# Check also the spelling, the dependencies and the features. Needs the tools of `.ci/requirements.txt`.
lint-all: lint
    typos
    taplo format --check
    cargo deny check --allow unmatched-skip bans licenses sources
    cargo shear --deny-warnings
    cargo hack clippy --lib --feature-powerset --skip default --exclude-features winit -- -D warnings

# Format the Rust sources.
format:
    cargo fmt

# Build the documentation, with the features that docs.rs shows, and open it.
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --features emulator,test_util --open

# Run the demo shop on the emulator, for example `just demo --headless`.
demo *args:
    cargo run --example demo_shop -- {{ args }}

# Make random purchases in simulated time.
random purchases="100000":
    BEVY_XSOLLA_PURCHASES={{ purchases }} cargo test --lib random -- --nocapture

# Run a random world again, by the seed that a failure has named.
random-world seed:
    BEVY_XSOLLA_SEED={{ seed }} cargo test --lib random -- --nocapture

# Kill a small game at random moments of its purchases, and start it again.
chaos purchases="25":
    BEVY_XSOLLA_CHAOS={{ purchases }} cargo test --test chaos -- --nocapture

# The sanitizer is for nightly Rust; `RUSTC_BOOTSTRAP` lets any Rust use it.
#
# Run a fuzzer of `fuzz/fuzz_targets`. Needs cargo-fuzz.
fuzz target="publication" seconds="60":
    mkdir -p fuzz/corpus/{{ target }}
    cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run {{ target }} corpus/{{ target }} seeds/{{ target }} \
        -- -max_total_time={{ seconds }} -dict=words.dict -max_len=4096

# Change the code in one place at a time, and see the unit tests fail. Needs cargo-mutants; `0/4` is a quarter of it.
mutants shard="0/4":
    BEVY_XSOLLA_PURCHASES=2000 cargo mutants --in-place --shard {{ shard }} --sharding round-robin --timeout 150

# Run the benchmarks, for example `just bench --bench frame`.
bench *args:
    cd benches && cargo bench {{ args }}

# Count the instructions of what is done most often, and compare. `just instructions --renew` keeps the new counts.
instructions *args:
    .ci/instruction-counts {{ args }}

# Bring the manifest and the lock file for Bevy 0.20 up to date after a change of `Cargo.toml`.
manifest-0-20:
    .ci/manifest-0.20 > bevy-0.20/Cargo.toml
    cargo update --workspace --manifest-path bevy-0.20/Cargo.toml

# Run all that a change has to pass. Needs root on Debian 12: it installs a screen and a browser.
ci:
    .ci/run

# Run what CI runs every night.
nightly:
    .ci/nightly
