//! Look-ups of host names.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::platform::native::joint::Joint;

/// The look-ups that are under way, by host. A host that does not answer holds up no other.
static LOOK_UPS: Joint<Result<Vec<IpAddr>, String>> = Joint::new("xsolla-dns");

/// Returns the addresses of a host. It may take as long as the system's resolver, so the caller sets a deadline.
pub(crate) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses = look_up(host, |host| {
        let addresses = (host, 0).to_socket_addrs();
        addresses.map(|addresses| addresses.map(|address| address.ip()).collect())
    });
    let addresses = addresses.await?.into_iter();
    Ok(addresses.map(|ip| SocketAddr::new(ip, port)).collect())
}

async fn look_up(
    host: &str,
    system: fn(&str) -> io::Result<Vec<IpAddr>>,
) -> io::Result<Vec<IpAddr>> {
    let look_up = move |host: &str| system(host).map_err(|error| error.to_string());
    LOOK_UPS.run(host, look_up).await?.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Stands for a name server that never answers.
    fn hang(_: &str) -> io::Result<Vec<IpAddr>> {
        STARTED.fetch_add(1, SeqCst);
        loop {
            std::thread::park();
        }
    }

    static STARTED: AtomicUsize = AtomicUsize::new(0);

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    }

    #[test]
    fn hosts_that_hang_hold_up_no_other_and_take_a_thread_each() {
        runtime().block_on(async {
            let hosts: Vec<String> = (0..50).map(|n| format!("hanging-{n}.test")).collect();
            for _ in 0..10 {
                for host in &hosts {
                    let hanging = timeout(Duration::from_micros(1), look_up(host, hang));
                    assert!(hanging.await.is_err(), "it hangs");
                }
            }
            let other = look_up("other.test", |_| Ok(vec![IpAddr::from([127, 0, 0, 1])]));
            let other = timeout(Duration::from_secs(10), other).await;
            assert_eq!(other.unwrap().unwrap(), [IpAddr::from([127, 0, 0, 1])]);
            assert!(STARTED.load(SeqCst) <= 50, "each was asked for ten times");
        });
    }

    #[test]
    fn a_look_up_is_made_anew_after_an_answer_and_after_an_error() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        runtime().block_on(async {
            for round in 1..=3 {
                let failing = look_up("failing.test", |_| {
                    ASKED.fetch_add(1, SeqCst);
                    Err(io::Error::other("no such host"))
                });
                assert_eq!(failing.await.unwrap_err().to_string(), "no such host");
                assert_eq!(ASKED.load(SeqCst), round);
            }
        });
    }

    #[test]
    fn a_look_up_that_panics_is_an_error_and_is_made_anew() {
        runtime().block_on(async {
            let broken = look_up("broken.test", |_| panic!("in the system's resolver"));
            assert!(broken.await.is_err());
            let mended = look_up("broken.test", |_| Ok(Vec::new()));
            assert!(mended.await.unwrap().is_empty());
        });
    }
}
