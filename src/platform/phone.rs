//! Opens pages on Android and iOS.

/// Opens a page by a call of the system, because there are no programs to start. `webbrowser` logs addresses on other
/// systems, but not on these.
pub(super) fn launch(page: &str) -> std::io::Result<()> {
    webbrowser::open(page)
}
