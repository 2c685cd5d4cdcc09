//! A publication on the order-status channel.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bevy_xsolla::fuzzing::publication(bytes));
