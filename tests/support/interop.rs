//! Software that we did not write, which `tests/interop/setup.sh` gets.

/// What was found; or `None` after saying what is missing and that the test is skipped.
///
/// # Panics
///
/// Where something is missing though `BEVY_XSOLLA_REQUIRE_INTEROP` is 1.
#[track_caller]
pub fn found<T>(software: Result<T, &str>) -> Option<T> {
    match software {
        Ok(software) => Some(software),
        Err(missing) => {
            let required = std::env::var_os("BEVY_XSOLLA_REQUIRE_INTEROP");
            let is_required = required.is_some_and(|value| value == "1");
            assert!(!is_required, "{missing}: see tests/interop/README.md");
            println!("SKIPPED: {missing} (see tests/interop/README.md)");
            None
        }
    }
}
