//! What stands between Xsolla and the servers: it takes each webhook to one of them, as a load balancer does.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bevy_xsolla::OrderId;
use serde_json::Value;

/// How long it waits for a server. That is less than a server may take, so some answers are lost.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct Routes {
    /// Where the servers take webhooks.
    pub servers: Vec<SocketAddr>,
    /// The orders whose webhooks go to none of them: their servers have to hear of them by socket.
    pub kept: BTreeSet<OrderId>,
    pub passed: usize,
}

pub struct Front {
    address: SocketAddr,
    routes: Arc<Mutex<Routes>>,
}

impl Front {
    /// It chooses by this seed.
    pub fn start(seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Arc::new(Mutex::new(Routes::default()));
        let shared = routes.clone();
        let mut random = fastrand::Rng::with_seed(seed);
        // One after the other, because that is how they are sent. It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // What cannot be passed on is not answered, and comes again.
                let _ = stream.and_then(|stream| pass_on(stream, &shared, &mut random));
            }
        });
        Self { address, routes }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn routes(&self) -> std::sync::MutexGuard<'_, Routes> {
        self.routes.lock().unwrap()
    }
}

fn pass_on(
    mut client: TcpStream,
    routes: &Mutex<Routes>,
    random: &mut fastrand::Rng,
) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let (request, order_id) = read_request(&mut client)?;
    let server = {
        let mut routes = routes.lock().unwrap();
        if order_id.is_some_and(|order_id| routes.kept.contains(&order_id)) {
            return client.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        }
        routes.passed += 1;
        random.choice(routes.servers.iter().copied())
    };
    let server = server.ok_or(io::ErrorKind::NotConnected)?;
    let mut server = TcpStream::connect_timeout(&server, PATIENCE)?;
    server.set_read_timeout(Some(PATIENCE))?;
    server.write_all(&request)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.write_all(&answer)
}

/// Reads a webhook, and the order that it is about.
fn read_request(client: &mut TcpStream) -> io::Result<(Vec<u8>, Option<OrderId>)> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap_or_default();
            let length = length.lines().next().unwrap_or_default().parse();
            if body.len() >= length.unwrap_or(0) {
                let body: Value = serde_json::from_str(body)?;
                let order_id = body["order"]["id"].as_u64().map(OrderId);
                return Ok((request, order_id));
            }
        }
        match client.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => request.extend(&piece[..count]),
        }
    }
}
