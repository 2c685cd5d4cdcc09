//! A game server, which is a process.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bevy_xsolla::OrderId;
use bevy_xsolla::emulator::XsollaEmulator;

use super::program::program;
use super::support::process::Process;

pub const SECRET: &str = "PROJECT_SECRET_KEY";

/// How long a player's game waits for a server.
const PATIENCE: Duration = Duration::from_millis(500);

/// What all servers have said.
#[derive(Default)]
pub struct Said {
    /// The orders that they granted.
    pub granted: BTreeSet<OrderId>,
    /// How often a server was told of an order that had been granted or refunded before.
    pub told_again: usize,
    /// What no server may say.
    pub wrong: Vec<String>,
    /// The texts that no server may print.
    pub secrets: Vec<String>,
    /// All of it, for a test that fails.
    pub lines: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Addresses {
    join: Option<SocketAddr>,
    webhooks: Option<SocketAddr>,
}

pub struct Server {
    process: Process,
    addresses: Arc<Mutex<Addresses>>,
    readers: Vec<JoinHandle<()>>,
    pub is_paused: bool,
}

impl Server {
    /// Starts a server whose database is at this address.
    pub fn start(
        number: usize,
        database: &str,
        emulator: &XsollaEmulator,
        said: &Arc<Mutex<Said>>,
    ) -> Self {
        let mut command = Command::new(program());
        command
            .args(["--database", database])
            .args(["--join", "127.0.0.1:0", "--webhooks", "127.0.0.1:0"])
            .args(["--secret", SECRET])
            .env("XSOLLA_PROJECT_ID", emulator.project_id().to_string())
            .env("XSOLLA_STORE_URL", emulator.store_url())
            .env("XSOLLA_SOCKET_URL", emulator.socket_url())
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Process::start(&mut command);
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(process.stdout.take().unwrap()),
            Box::new(process.stderr.take().unwrap()),
        ];
        let addresses = Arc::new(Mutex::new(Addresses::default()));
        let readers = outputs.into_iter().map(|output| {
            let (addresses, said) = (addresses.clone(), said.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    addresses.lock().unwrap().read(&line);
                    said.lock().unwrap().read(number, line);
                }
            })
        });
        let readers = readers.collect();
        Self {
            process,
            addresses,
            readers,
            is_paused: false,
        }
    }

    /// Where webhooks come to, once it has said that.
    pub fn webhooks(&self) -> Option<SocketAddr> {
        self.addresses.lock().unwrap().webhooks
    }

    pub fn is_up(&self) -> bool {
        let addresses = self.addresses.lock().unwrap();
        addresses.join.is_some() && addresses.webhooks.is_some()
    }

    /// Sends it a player's token and orders, as the player's game does. Whether it has answered that it has all.
    pub fn join(&self, token: &str, orders: &[OrderId]) -> bool {
        let lines: String = orders.iter().map(|id| format!("{token} {id}\n")).collect();
        let answers = self.send(lines.as_bytes(), orders.len());
        answers.is_ok_and(|answers| answers.iter().all(|answer| answer == "ok"))
    }

    /// Sends it what a player's game might send, and returns as many lines of its answer.
    pub fn send(&self, bytes: &[u8], lines: usize) -> io::Result<Vec<String>> {
        let address = self.addresses.lock().unwrap().join;
        let address = address.ok_or(io::ErrorKind::NotConnected)?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(bytes)?;
        let answers: io::Result<Vec<String>> = BufReader::new(stream).lines().take(lines).collect();
        answers.and_then(|answers| match answers.len() == lines {
            true => Ok(answers),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        })
    }

    /// Sends the process a signal, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Has it end as a service manager does.
    #[track_caller]
    pub fn end(mut self) {
        self.signal("-TERM");
        let status = self.process.wait_for_end();
        assert!(status.success(), "a server ended with {status}");
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
    }

    /// Whether it runs; it does not end by itself.
    pub fn is_alive(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }
}

impl Addresses {
    fn read(&mut self, line: &str) {
        let address = |text: &str| Some(text.parse().unwrap());
        if let Some(text) = line.strip_prefix("players join at ") {
            self.join = address(text);
        } else if let Some(text) = line.strip_prefix("webhooks come to ") {
            self.webhooks = address(text);
        }
    }
}

impl Said {
    fn read(&mut self, number: usize, line: String) {
        let order = line.strip_prefix("order ").and_then(|rest| {
            let (order_id, what) = rest.split_once(": ")?;
            Some((order_id.parse().ok()?, what))
        });
        if let Some((order_id, what)) = order {
            if what.starts_with("granted to ") {
                self.granted.insert(order_id);
            } else if what == "was granted or refunded before" {
                self.told_again += 1;
            }
        }
        let is_secret = self.secrets.iter().any(|secret| line.contains(secret));
        if line.contains("REFUSED") || line.contains("panicked") || is_secret {
            self.wrong.push(format!("server {number}: {line}"));
        }
        self.lines.push(format!("server {number}: {line}"));
    }
}
