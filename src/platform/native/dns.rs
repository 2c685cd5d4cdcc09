//! Look-ups of host names.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::platform::native::thread::run_on_thread;

/// Limits the number of look-ups that run at a time, so that hanging ones do not accumulate threads.
static LOOK_UPS: Semaphore = Semaphore::const_new(8);

/// Returns the addresses of a host. It may take as long as the system's resolver, so the caller sets a deadline.
pub(crate) async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let permit = LOOK_UPS.acquire().await.map_err(io::Error::other)?;
    run_on_thread("xsolla-dns", move || {
        // The permit is held until the look-up itself ends, even if the caller stops waiting for it.
        let _permit = permit;
        Ok((host.as_str(), port).to_socket_addrs()?.collect())
    })
    .await?
}

/// The resolver that reqwest uses.
pub(crate) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            // Port 0 stands for the default port of the scheme.
            let addresses = resolve(host, 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
