//! Opens pages on Linux, macOS and their like.

use std::env;
use std::io;
use std::time::Duration;

/// How long a program may take to say that it cannot open the page. One that runs longer has opened it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a page with the browser that the player has chosen, or with the system's. It may take some times
/// [`PATIENCE`].
pub(super) fn launch(page: &str) -> io::Result<()> {
    let chosen = env::var("BROWSER").map(|browser| open::with_detached(page, browser));
    match chosen {
        Ok(Ok(())) => Ok(()),
        _ => open::that_detached_with_timeout(page, PATIENCE),
    }
}
