//! The ledger's entries.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bevy_xsolla::fuzzing::webhook(bytes));
