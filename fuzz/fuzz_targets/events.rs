//! The pages of a player's queue of events, and what is processed of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bevy_xsolla::fuzzing::events(bytes));
