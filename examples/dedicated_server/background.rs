//! A thread for what waits for the network, so that no frame waits for it.

use std::io;

/// Runs this on a thread of its own. It ends with the server.
pub fn spawn(name: &str, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || runtime.block_on(work))?;
    Ok(())
}
