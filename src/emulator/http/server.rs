//! The listener on the loopback, with a thread and a runtime of its own.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::router;
use crate::emulator::webhooks::sender;
use crate::emulator::world::shared::Shared;

/// How many connections may wait to be accepted. The standard library's 128 are fewer than a game server's players: the
/// others' first packet is dropped, and sent again after a second.
const BACKLOG: u32 = 4096;

/// A running server. Dropping it closes its connections and frees its port.
pub(crate) struct Server {
    address: SocketAddr,
    /// Dropping it stops the server.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(shared: Shared) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (report, started) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("xsolla-emulator".to_owned())
            // The runtime is made on the thread on which it is dropped: Tokio forbids to drop one within
            // another, and a test may run within its own.
            .spawn(move || match prepare() {
                Ok((runtime, listener, address)) => {
                    let _ = report.send(Ok(address));
                    runtime.block_on(serve(listener, shared, stopped));
                }
                Err(error) => {
                    let _ = report.send(Err(error));
                }
            })?;
        let address = started.recv().map_err(io::Error::other)??;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // An error is a panic of the thread, which the terminal has shown.
            let _ = thread.join();
        }
    }
}

fn prepare() -> io::Result<(Runtime, TcpListener, SocketAddr)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let context = runtime.enter();
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    drop(context);
    let address = listener.local_addr()?;
    Ok((runtime, listener, address))
}

async fn serve(listener: TcpListener, shared: Shared, mut stop: oneshot::Receiver<Infallible>) {
    tokio::spawn(sender::run(shared.clone()));
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(connection(stream, shared.clone()));
                }
                // The process most likely has no file descriptor left, and needs time to close some.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Shared) {
    // Small frames must not wait for each other. Where the system refuses it, they are merely late.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| router::answer(request, shared.clone()));
    // An error is a client that went away, or a connection that was cut on purpose.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}
