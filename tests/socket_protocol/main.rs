//! How the order-status socket behaves: each behaviour is written once, and run on the emulator always
//! and on a real Centrifugo where it is installed.
//!
//! Without `tests/interop/setup.sh` the tests on Centrifugo are skipped, and say so; with
//! `BEVY_XSOLLA_REQUIRE_INTEROP=1` they fail.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

/// Every behaviour, once for each server.
macro_rules! behaviours {
    ($($behaviour:ident)*) => {
        mod the_emulator {
            $(#[test] fn $behaviour() { super::$behaviour(super::Kind::Emulator); })*
        }
        mod centrifugo_itself {
            $(#[test] fn $behaviour() { super::on_centrifugo(super::$behaviour); })*
        }
    };
}

mod commands;
mod connections;
#[path = "../emulator_client/mod.rs"]
mod emulator_client;
mod handshakes;
mod server;
mod streams;
#[path = "../support/mod.rs"]
mod support;
