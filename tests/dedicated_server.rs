//! `examples/dedicated_server.rs` as a process that is stopped and killed: nothing that was granted is
//! lost, nothing is granted twice.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use rusqlite::Connection;
use support::folder::Folder;
use support::process::Process;

/// Built here, because `cargo test --test …` does not build examples.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--example", "dedicated_server"]);
        // What has built this test can build it.
        build.arg("--ignore-rust-version");
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        // What describes this test's own package, which build scripts would take for a change.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&name);
            }
        }
        assert!(build.status().unwrap().success());
        // This test is in `deps`, beside the examples' folder.
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().unwrap().parent().unwrap();
        folder.join("examples/dedicated_server")
    })
}

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
