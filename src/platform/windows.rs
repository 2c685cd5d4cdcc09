//! Opens pages on Windows.

/// Opens a page as the shell does.
pub(super) fn launch(page: &str) -> std::io::Result<()> {
    open::that_detached(page)
}
