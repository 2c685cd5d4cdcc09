//! `examples/dedicated_server.rs` as a process that is stopped and killed: nothing that was granted is
//! lost, nothing is granted twice.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "fleet/program.rs"]
mod program;
#[path = "fleet/server.rs"]
mod server;
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use bevy_xsolla::emulator::XsollaEmulator;
use program::program;
use rusqlite::Connection;
use support::folder::Folder;
use support::process::Process;
use support::wait::wait_until;

struct Server {
    process: Process,
    lines: Lines<BufReader<ChildStdout>>,
    granted: BTreeSet<String>,
}

impl Server {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.arg("--database").arg(folder.join("shop.db"));
        command.args(arguments).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            process,
            lines,
            granted: BTreeSet::new(),
        }
    }

    /// Reads on until it has said that it granted so many, or to the end.
    fn read_until_granted(&mut self, count: usize) {
        while self.granted.len() < count {
            let Some(Ok(line)) = self.lines.next() else {
                return;
            };
            if let Some((order, _)) = line.split_once(": granted to ") {
                assert!(self.granted.insert(order.to_owned()), "twice: {line}");
            }
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Its exit code, and what it has granted.
    fn end(mut self) -> (Option<i32>, BTreeSet<String>) {
        self.read_until_granted(usize::MAX);
        (self.process.wait_for_end().code(), self.granted)
    }
}

fn count(folder: &Path, query: &str) -> i64 {
    let database = Connection::open(folder.join("shop.db")).unwrap();
    database.query_row(query, [], |row| row.get(0)).unwrap()
}

/// Twelve players: twelve swords, three of them refunded, and three times three potions.
fn assert_all_is_granted_once(folder: &Path) {
    assert_eq!(count(folder, "SELECT COUNT(*) FROM orders"), 15);
    assert_eq!(count(folder, "SELECT COUNT(*) FROM grants"), 15);
    assert_eq!(count(folder, "SELECT COUNT(*) FROM granted_items"), 15);
    let of = |sku| {
        let query = format!("SELECT SUM(quantity) FROM inventory WHERE sku = '{sku}'");
        count(folder, &query)
    };
    assert_eq!((of("sword"), of("potion")), (9, 9));
}

#[test]
fn stopped_in_the_midst_it_grants_the_rest_at_the_next_start() {
    ends_it_in_the_midst("-TERM", Some(0));
}

#[test]
fn ended_by_ctrl_c_it_grants_the_rest_at_the_next_start() {
    ends_it_in_the_midst("-INT", Some(0));
}

#[test]
fn killed_in_the_midst_it_grants_the_rest_at_the_next_start() {
    ends_it_in_the_midst("-KILL", None);
}

#[track_caller]
fn ends_it_in_the_midst(signal: &str, exit_code: Option<i32>) {
    let folder = Folder::new("server");
    let options = ["--players", "12", "--once"];

    let mut server = Server::start(&folder, &options);
    server.read_until_granted(5);
    server.signal(signal);
    let (code, first) = server.end();
    assert_eq!(code, exit_code);
    assert!((5..15).contains(&first.len()), "{first:?}");
    // What it says it granted is in the database. Killed, it may not have come to say it.
    let granted = count(&folder, "SELECT COUNT(*) FROM grants");
    let said = i64::try_from(first.len()).unwrap();
    match exit_code {
        Some(_) => assert_eq!(granted, said),
        None => assert!(granted >= said),
    }

    let (code, second) = Server::start(&folder, &options).end();
    assert_eq!(code, Some(0));
    assert!(first.is_disjoint(&second), "{first:?} {second:?}");
    assert_all_is_granted_once(&folder);

    let (code, third) = Server::start(&folder, &options).end();
    assert_eq!((code, third.len()), (Some(0), 0));
    assert_all_is_granted_once(&folder);
}

/// The order's id is the primary key: the database alone is enough.
#[test]
fn without_its_ledger_it_grants_nothing_twice() {
    let folder = Folder::new("server-ledger");
    let options = ["--players", "12", "--once"];
    let mut server = Server::start(&folder, &options);
    server.read_until_granted(5);
    server.signal("-TERM");
    let (_, first) = server.end();
    assert!((5..15).contains(&first.len()), "{first:?}");
    std::fs::remove_file(folder.join("shop.ledger")).unwrap();
    let (code, second) = Server::start(&folder, &options).end();
    assert_eq!(code, Some(0));
    assert!(first.is_disjoint(&second), "{first:?} {second:?}");
    assert_all_is_granted_once(&folder);
}

/// The fleet's servers do the same on another database.
#[test]
fn what_players_and_webhooks_tell_it_from_outside_is_granted() {
    let folder = Folder::new("server-outside");
    let emulator = XsollaEmulator::start();
    let said: Arc<Mutex<server::Said>> = Arc::default();
    let database = folder.join("shop.db");
    let server = server::Server::start(0, database.to_str().unwrap(), &emulator, &said);
    wait_until("the server listens", || server.is_up());
    let user = emulator.user("alice");
    let orders = [(); 2].map(|()| emulator.create_order(&user, &[("sword", 1)]));

    let error = "error: a line is `TOKEN ORDER`";
    let answers = server.send(b"nonsense\n\xff\xff 7\ntoken seven\n", 3);
    assert_eq!(answers.unwrap(), [error; 3]);
    // It reads no more than a game may have to say.
    assert!(server.send(&[b'x'; 1 << 20], 2).is_err());

    assert!(server.join(&emulator.token("alice"), &orders[..1]));
    emulator.deliver(orders[0]);
    let address = format!("http://{}/", server.webhooks().unwrap());
    emulator.webhooks_to(&address, server::SECRET);
    emulator.deliver(orders[1]);
    wait_until("both orders are granted", || {
        said.lock().unwrap().granted.len() == 2
    });
    server.end();
    assert_eq!(count(&folder, "SELECT COUNT(*) FROM grants"), 2);
    assert_eq!(said.lock().unwrap().wrong, [""; 0]);
}
