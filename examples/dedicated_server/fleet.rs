//! A fleet on this machine: an emulator, servers that are processes of this program, and players who order from one
//! server and then move to another. A server that ends is started again, so kill them as you like.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::{StopFlag, say};

/// How often something happens.
const BEAT: Duration = Duration::from_millis(250);
/// The webhooks go from this program to its own servers.
const SECRET: &str = "FLEET_SECRET";
/// How long a server may take to answer a player's game.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a server listens, as far as it has said.
#[derive(Clone, Default)]
struct Addresses {
    join: String,
    webhooks: String,
}

struct Server {
    number: usize,
    child: Child,
    addresses: Arc<Mutex<Addresses>>,
}

impl Server {
    fn start(number: usize, database: &str, emulator: &XsollaEmulator) -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--database", database])
            .args(["--join", "127.0.0.1:0", "--webhooks", "127.0.0.1:0"])
            .env("XSOLLA_WEBHOOK_SECRET", SECRET)
            .env("XSOLLA_PROJECT_ID", emulator.project_id().to_string())
            .env("XSOLLA_STORE_URL", emulator.store_url())
            .env("XSOLLA_SOCKET_URL", emulator.socket_url())
            .stdout(Stdio::piped())
            .spawn()?;
        say(format_args!(
            "server {number}: starts as process {}",
            child.id()
        ));
        let addresses = Arc::new(Mutex::new(Addresses::default()));
        if let Some(output) = child.stdout.take() {
            let addresses = addresses.clone();
            // It ends with the server.
            std::thread::spawn(move || listen(number, output, &addresses));
        }
        Ok(Self {
            number,
            child,
            addresses,
        })
    }

    fn addresses(&self) -> Addresses {
        let addresses = self.addresses.lock();
        addresses.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the server a player's token and order, as the player's game does.
    fn join(&self, token: &str, order_id: OrderId) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.addresses().join)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{token} {order_id}\n").as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream.take(100)).read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints what a server says, and notes where it listens.
fn listen(number: usize, output: impl Read, addresses: &Mutex<Addresses>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = line.strip_prefix("players join at ") {
            address.clone_into(&mut addresses.join);
        } else if let Some(address) = line.strip_prefix("webhooks come to ") {
            address.clone_into(&mut addresses.webhooks);
        }
        say(format_args!("server {number}: {line}"));
    }
}

/// Runs until Ctrl-C.
pub fn run(database: &str, servers: usize, players: usize) -> Result<AppExit, String> {
    let stop = StopFlag::listen()?;
    let emulator = XsollaEmulator::try_start().map_err(|error| format!("emulator: {error}"))?;
    let start = |number| {
        let started = Server::start(number, database, &emulator);
        started.map_err(|error| format!("server {number}: {error}"))
    };
    let mut servers = (1..=servers).map(start).collect::<Result<Vec<_>, _>>()?;
    let mut beat = 0;
    let mut last = None;
    loop {
        std::thread::sleep(BEAT);
        if stop.is_set() {
            // Ctrl-C has ended the servers, too. Those that go on are killed here.
            return Ok(AppExit::Success);
        }
        for server in &mut servers {
            if let Ok(Some(status)) = server.child.try_wait() {
                say(format_args!(
                    "server {}: has ended ({status})",
                    server.number
                ));
                *server = start(server.number)?;
            }
        }
        // Xsolla's webhooks come to a load balancer, which sends each to some server.
        if let Some(server) = fastrand::choice(&servers) {
            let address = format!("http://{}/", server.addresses().webhooks);
            if emulator.try_webhooks_to(&address, SECRET).is_err() {
                continue;
            }
        }
        // What failed comes again in minutes, and here sooner.
        emulator.pass_webhook_time(Duration::from_secs(10));
        beat += 1;
        match (beat % 4, last) {
            (1, _) => {
                let player = fastrand::usize(1..=players);
                let user = emulator.user(&name(player));
                let order_id = emulator.create_order(&user, &[("sword", 1)]);
                say(format_args!(
                    "order {order_id}: {} orders a sword",
                    name(player)
                ));
                join(&servers, &emulator.token(&name(player)), order_id);
                last = Some((player, order_id));
            }
            (2, Some((_, order_id))) => emulator.pay(order_id),
            // The player has moved meanwhile.
            (3, Some((player, order_id))) => {
                join(&servers, &emulator.token(&name(player)), order_id);
                emulator.deliver(order_id);
            }
            (_, Some((_, order_id))) if fastrand::u32(..4) == 0 => {
                say(format_args!("order {order_id}: is refunded"));
                emulator.refund(order_id);
            }
            _ => {}
        }
    }
}

fn name(player: usize) -> String {
    format!("player-{player:03}")
}

/// The player's game tries one server after the other.
fn join(servers: &[Server], token: &str, order_id: OrderId) {
    let mut servers: Vec<_> = servers.iter().collect();
    fastrand::shuffle(&mut servers);
    for server in servers {
        match server.join(token, order_id) {
            Ok(answer) if answer == "ok" => {
                return say(format_args!(
                    "order {order_id}: is sent to server {}",
                    server.number
                ));
            }
            Ok(answer) => say(format_args!("server {}: {answer}", server.number)),
            Err(error) => say(format_args!("server {}: {error}", server.number)),
        }
    }
}
