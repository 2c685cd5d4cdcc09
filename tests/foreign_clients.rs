//! The emulator's socket against clients that others wrote: what they make of it is what they would
//! make of the servers that it stands in for.
//!
//! `centrifuge` from npm is the client that Xsolla's documentation uses, and the crate
//! `centrifuge-client` is by the same authors. Each runs as a process of its own and tells what it
//! hears, one JSON event a line.
//!
//! Needs `tests/interop/setup.sh`. Without it the tests are skipped, and say so; with
//! `BEVY_XSOLLA_REQUIRE_INTEROP=1` they fail.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::{OrderId, XsollaUser};
use serde_json::{Value, json};

use support::process::{Process, json_lines};
use support::tap::{Tap, Way};
use support::wait::{DEADLINE, wait_until};
use support::{interop, sword_order};

/// Every behaviour, once for each client.
macro_rules! behaviours {
    ($($behaviour:ident)*) => {
        mod centrifuge_js {
            $(#[test] fn $behaviour() { super::with(super::centrifuge_js(), super::$behaviour); })*
        }
        mod centrifuge_rust {
            $(#[test] fn $behaviour() { super::with(super::centrifuge_rust(), super::$behaviour); })*
        }
    };
}

behaviours! {
    hears_its_channel_without_subscribing
    reads_the_history_as_documented
    hears_live_publications_in_their_order
    recovers_what_it_missed_while_it_was_cut_off
    learns_that_the_server_lost_its_memory
    goes_on_where_the_history_is_denied
    keeps_its_connection_by_answering_pings
    comes_back_after_a_close_that_allows_it
    stays_away_after_a_close_for_good
    stays_away_after_its_token_was_refused
    comes_back_after_a_passing_refusal
}

/// The command that runs a client; or what is missing.
type Client = Result<Vec<PathBuf>, &'static str>;

fn centrifuge_js() -> Client {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/npm");
    if !folder.join("node_modules/centrifuge").is_dir() {
        return Err("the client's Node packages are not installed");
    }
    let node = Command::new("node").arg("--version").output();
    if node.is_err() {
        return Err("there is no Node");
    }
    Ok(vec![PathBuf::from("node"), folder.join("client.mjs")])
}

fn centrifuge_rust() -> Client {
    let built = || {
        let name = format!("centrifuge-client-peer{}", std::env::consts::EXE_SUFFIX);
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/interop/centrifuge-client/debug")
            .join(name)
    };
    let file = std::env::var_os("CENTRIFUGE_CLIENT_BIN").map_or_else(built, PathBuf::from);
    if file.is_file() {
        Ok(vec![file])
    } else {
        Err("the client is not built")
    }
}

fn with(client: Client, behaviour: fn(Shop)) {
    if let Some(command) = interop::found(client) {
        behaviour(Shop::open(command));
    }
}

/// An emulator, a player with one order, and the command of a client.
struct Shop {
    emulator: XsollaEmulator,
    token: String,
    user: XsollaUser,
    order: OrderId,
    command: Vec<PathBuf>,
}

impl Shop {
    fn open(command: Vec<PathBuf>) -> Self {
        let emulator = XsollaEmulator::start();
        let token = emulator.token("alice");
        let user = XsollaUser::new(&token);
        let order = sword_order(&emulator);
        Self {
            emulator,
            token,
            user,
            order,
            command,
        }
    }

    fn connect(&self) -> Peer {
        self.connect_to(&self.emulator.socket_url())
    }

    fn connect_to(&self, url: &str) -> Peer {
        // The data of Xsolla's documentation.
        let data = json!({
            "user_external_id": "player-1",
            "auth": self.token,
            "project_id": self.emulator.project_id(),
        });
        Peer::start(&self.command, &json!({"url": url, "data": data}))
    }

    fn publication(&self, status: &str) -> Value {
        json!({"order_id": self.order.0, "status": status})
    }
}

/// A running client.
struct Peer {
    process: Process,
    events: Receiver<Value>,
    heard: Vec<Value>,
}

impl Peer {
    fn start(command: &[PathBuf], first_line: &Value) -> Self {
        let (program, arguments) = command.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        writeln!(process.stdin.as_mut().unwrap(), "{first_line}").unwrap();
        let events = json_lines(process.stdout.take().unwrap());
        Self {
            process,
            events,
            heard: Vec::new(),
        }
    }

    /// The next event of this name. What comes before it is passed over.
    #[track_caller]
    fn next(&mut self, name: &str) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => {
                    self.heard.push(event.clone());
                    if event["event"] == name {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {name:?} after {:#?}", self.heard),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the client ended without {name:?}, after {:#?}", self.heard)
                }
            }
        }
    }

    /// Says goodbye and returns all that was heard.
    fn finish(mut self) -> Vec<Value> {
        drop(self.process.stdin.take());
        let deadline = Instant::now() + DEADLINE;
        while let Ok(event) = self.events.recv_timeout(deadline - Instant::now()) {
            self.heard.push(event);
        }
        std::mem::take(&mut self.heard)
    }
}

/// The data of what was published, as a history has it.
fn data_of(history: &Value) -> Vec<Value> {
    let publications = history["publications"].as_array().unwrap();
    publications.iter().map(|p| p["data"].clone()).collect()
}

fn hears_its_channel_without_subscribing(shop: Shop) {
    let mut peer = shop.connect();
    let subscribed = peer.next("subscribed");
    assert_ne!(subscribed["channel"], "");
    assert_eq!(subscribed["recoverable"], true);
    assert_eq!(subscribed["positioned"], true);
    assert_eq!(subscribed["recovered"], false);

    let connects = shop.emulator.connects();
    let [connect] = connects.as_slice() else {
        panic!("{connects:?}");
    };
    assert!(connect.is_accepted());
    assert_eq!(connect.user(), Some("alice"));
    assert_eq!(connect.external_id(), Some("player-1"));
    assert_eq!(connect.project_id(), Some(shop.emulator.project_id()));

    peer.finish();
    let emulator = &shop.emulator;
    wait_until("the socket closes", || emulator.open_sockets() == 0);
    assert_eq!(
        emulator.closes(),
        [] as [u16; 0],
        "the server had no cause to"
    );
}

fn reads_the_history_as_documented(shop: Shop) {
    shop.emulator.pay(shop.order);
    shop.emulator.deliver(shop.order);
    let mut peer = shop.connect();
    let history = peer.next("history");
    let statuses = ["new", "paid", "done"].map(|status| shop.publication(status));
    let data = data_of(&history);
    assert_eq!(data, statuses);
    assert_eq!(history["offset"], 3);
    assert_ne!(history["epoch"], "");
    // The documentation's orders are numbers, and Xsolla's exceed 32 bits.
    assert!(data[0]["order_id"].as_u64().unwrap() > u64::from(u32::MAX));
}

fn hears_live_publications_in_their_order(shop: Shop) {
    let mut peer = shop.connect();
    let history = peer.next("history");
    let before = history["offset"].as_u64().unwrap_or(0);
    let second = shop.emulator.create_order(&shop.user, &[("shield", 2)]);
    // At once, so that a frame has several of them.
    shop.emulator.pay(shop.order);
    shop.emulator.deliver(shop.order);
    shop.emulator.cancel(second);

    let expected = [
        json!({"order_id": second.0, "status": "new"}),
        shop.publication("paid"),
        shop.publication("done"),
        json!({"order_id": second.0, "status": "canceled"}),
    ];
    let channel = history["channel"].clone();
    for (offset, expected) in (before + 1..).zip(expected) {
        let publication = peer.next("publication");
        assert_eq!(publication["data"], expected);
        assert_eq!(publication["offset"], offset);
        assert_eq!(publication["channel"], channel);
    }
}

fn recovers_what_it_missed_while_it_was_cut_off(shop: Shop) {
    let mut peer = shop.connect();
    peer.next("history");
    shop.emulator.pay(shop.order);
    let offset = peer.next("publication")["offset"].as_u64().unwrap();

    shop.emulator.refuse_sockets(true);
    shop.emulator.drop_sockets();
    shop.emulator.deliver(shop.order);
    peer.next("connecting");
    shop.emulator.refuse_sockets(false);

    let subscribed = peer.next("subscribed");
    assert_eq!(subscribed["wasRecovering"], true);
    assert_eq!(subscribed["recovered"], true);
    let publication = peer.next("publication");
    assert_eq!(publication["data"], shop.publication("done"));
    assert_eq!(publication["offset"], offset + 1);
    // And on from there.
    shop.emulator.cancel(shop.order);
    let publication = peer.next("publication");
    assert_eq!(publication["data"], shop.publication("canceled"));
    assert_eq!(publication["offset"], offset + 2);
    assert_eq!(shop.emulator.recoveries(), 1);

    let heard = peer.finish();
    let publications = heard.iter().filter(|event| event["event"] == "publication");
    assert_eq!(publications.count(), 3, "each once");
}

fn learns_that_the_server_lost_its_memory(shop: Shop) {
    let mut peer = shop.connect();
    let old = peer.next("history");
    shop.emulator.forget_history();
    shop.emulator.drop_sockets();

    let subscribed = peer.next("subscribed");
    assert_eq!(subscribed["wasRecovering"], true);
    assert_eq!(subscribed["recovered"], false);
    let new = peer.next("history");
    assert_ne!(new["epoch"], old["epoch"]);
    assert_eq!(data_of(&new), [] as [Value; 0]);
    shop.emulator.pay(shop.order);
    assert_eq!(peer.next("publication")["offset"], 1);
}

fn goes_on_where_the_history_is_denied(shop: Shop) {
    for code in [103, 108] {
        shop.emulator.deny_history(Some(code));
        let mut peer = shop.connect();
        assert_eq!(peer.next("history refused")["code"], code);
        shop.emulator.pay(shop.order);
        let publication = peer.next("publication");
        assert_eq!(publication["data"], shop.publication("paid"));
    }
}

fn keeps_its_connection_by_answering_pings(shop: Shop) {
    // Half as long as the shortest that can be announced.
    shop.emulator.set_ping_interval(Duration::from_millis(500));
    let tap = Tap::start(shop.emulator.socket_url());
    let mut peer = shop.connect_to(&tap.url());
    peer.next("subscribed");
    let count = |way| {
        let messages = tap.messages(0, way);
        messages.iter().filter(|m| **m == json!({})).count()
    };
    wait_until("pings", || count(Way::Down) >= 6);
    wait_until("pongs", || count(Way::Up) >= 6);
    assert_eq!(tap.connections(), 1);
    assert_eq!(shop.emulator.open_sockets(), 1);
    assert_eq!(shop.emulator.closes(), [] as [u16; 0]);
}

fn comes_back_after_a_close_that_allows_it(shop: Shop) {
    let mut peer = shop.connect();
    for code in [3000, 3010, 4000, 4499] {
        peer.next("history");
        shop.emulator.close_sockets(code, "come back");
        assert_eq!(peer.next("connecting")["code"], code);
    }
    let subscribed = peer.next("subscribed");
    assert_eq!(subscribed["recovered"], true);
}

fn stays_away_after_a_close_for_good(shop: Shop) {
    for (count, code) in (1..).zip([3500, 3503, 4500, 4999]) {
        let mut peer = shop.connect();
        peer.next("history");
        shop.emulator.close_sockets(code, "stay away");
        let disconnected = peer.next("disconnected");
        assert_eq!(disconnected["code"], code);
        assert_eq!(disconnected["reason"], "stay away");
        assert_eq!(shop.emulator.sockets_opened(), count);
    }
}

fn stays_away_after_its_token_was_refused(shop: Shop) {
    shop.emulator.revoke_tokens("alice");
    let mut peer = shop.connect();
    let disconnected = peer.next("disconnected");
    assert_eq!(disconnected["code"], 101, "unauthorized");
    assert_eq!(shop.emulator.sockets_opened(), 1);
}

fn comes_back_after_a_passing_refusal(shop: Shop) {
    shop.emulator
        .refuse_connect(Some((100, "internal server error")));
    let mut peer = shop.connect();
    let emulator = &shop.emulator;
    wait_until("another attempt", || emulator.connects().len() >= 2);
    shop.emulator.refuse_connect(None);
    peer.next("subscribed");
}
