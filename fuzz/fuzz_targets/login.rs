//! An answer to the exchange of a refresh token.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bevy_xsolla::fuzzing::login(bytes));
