//! The pages of an inventory, and the subscriptions.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bevy_xsolla::fuzzing::inventory(bytes));
