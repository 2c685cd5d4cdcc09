//! Servers that send without end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::spawn;
use std::time::Duration;

use url::Url;

/// A server that answers every request with `100 Continue` and never goes further, unless its path is the one that is
/// answered.
pub struct EndlessAnswers {
    pub address: SocketAddr,
    floods: Arc<AtomicUsize>,
}

impl EndlessAnswers {
    /// `path` ends what is answered, with this JSON.
    pub fn start(path: &'static str, json: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let floods = Arc::<AtomicUsize>::default();
        let begun = floods.clone();
        spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, begun) = (stream.unwrap(), begun.clone());
                spawn(move || {
                    let mut head = [0; 4096];
                    let length = stream.read(&mut head).unwrap();
                    let head = String::from_utf8_lossy(&head[..length]);
                    if head.lines().next().unwrap().contains(&format!("{path} ")) {
                        let length = json.len();
                        let answer =
                            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{json}");
                        return stream.write_all(answer.as_bytes()).unwrap();
                    }
                    let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000);
                    begun.fetch_add(1, Ordering::Relaxed);
                    // It ends with the connection.
                    while stream.write_all(flood.as_bytes()).is_ok() {}
                });
            }
        });
        Self { address, floods }
    }

    /// How many requests were answered so.
    pub fn floods(&self) -> usize {
        self.floods.load(Ordering::Relaxed)
    }
}

/// A relay before a WebSocket server, which puts its own bytes between the server's.
pub struct FloodedSocket {
    address: SocketAddr,
    server: Url,
    flood: Arc<OnceLock<Vec<u8>>>,
}

impl FloodedSocket {
    pub fn before(server: &str) -> Self {
        let server = Url::parse(server).unwrap();
        let upstream = server.socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let flood = Arc::<OnceLock<Vec<u8>>>::default();
        let bytes = flood.clone();
        spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(upstream).unwrap();
                let mut up = (client.try_clone().unwrap(), server.try_clone().unwrap());
                spawn(move || {
                    let _ = std::io::copy(&mut up.0, &mut up.1);
                    let _ = up.1.shutdown(Shutdown::Both);
                });
                let bytes = bytes.clone();
                spawn(move || pass_and_flood(server, client, &bytes));
            }
        });
        Self {
            address,
            server,
            flood,
        }
    }

    pub fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.into()
    }

    /// From now on these bytes are sent again and again.
    pub fn flood(&self, bytes: Vec<u8>) {
        self.flood.set(bytes).unwrap();
    }
}

/// What comes from the server at once is whole frames, so the flood goes between them.
fn pass_and_flood(mut server: TcpStream, mut client: TcpStream, flood: &OnceLock<Vec<u8>>) {
    server
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let sent = match server.read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => client.write_all(&bytes[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                match flood.get() {
                    Some(flood) => (0..64).try_for_each(|_| client.write_all(flood)),
                    None => Ok(()),
                }
            }
            Err(_) => break,
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// A WebSocket frame of a server. The first byte has the opcode, and whether it is the last part of a message.
pub fn frame(first: u8, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126, "longer frames have another form");
    [&[first, length], text.as_bytes()].concat()
}
