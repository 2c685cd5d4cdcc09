//! Host names.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::platform::native::thread::run_on_thread;

/// How many look-ups run at a time, so that hanging ones do not pile up threads.
static LOOK_UPS: Semaphore = Semaphore::const_new(8);

/// The addresses of a host. May take as long as the system's resolver: set a deadline.
pub(crate) async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let permit = LOOK_UPS.acquire().await.map_err(io::Error::other)?;
    run_on_thread("xsolla-dns", move || {
        // Held until the look-up itself ends, not until somebody stops waiting for it.
        let _permit = permit;
        Ok((host.as_str(), port).to_socket_addrs()?.collect())
    })
    .await?
}

/// The same for reqwest.
pub(crate) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            // Port 0 stands for the scheme's own.
            let addresses = resolve(host, 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
