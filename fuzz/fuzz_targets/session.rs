//! A conversation with a server that says anything at any time.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bevy_xsolla::fuzzing::session(bytes));
