//! A million publications: memory stays as it is, and the one that matters is not lost among them.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::process::{Process, own_process};
use support::{Game, config_for, sword_order};

const NAME: &str = "a_million_publications_take_no_memory_and_hide_no_final_status";
const PUBLICATIONS: u64 = 1_000_000;
const A_FRAME: u64 = 10_000;
/// What the child may grow by: its buffers and queues, and a frame of the flood.
const GROWTH_KIB: u64 = 48 * 1024;

/// The most memory that this process has had, in KiB.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The game, in a process of its own so that its memory is nobody else's.
fn game() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let config = config_for(words[0].parse().unwrap(), words[1], words[2]);
    let mut game = Game::logged_in(config, &XsollaUser::new(words[3]));
    let order = OrderId(words[4].parse().unwrap());
    game.track(order);
    game.wait_until_live();
    let before = peak_memory();
    println!("live");
    game.wait_for_status(order, "done");
    let told = game.statuses(order).len();
    let growth = peak_memory()
        .zip(before)
        .map(|(after, before)| after - before);
    println!(
        "done after {told} statuses, {} KiB more",
        growth.unwrap_or(0)
    );
    assert!(told < 100, "{told} statuses for one order");
    assert!(growth.is_none_or(|kib| kib < GROWTH_KIB), "{growth:?} KiB");
    game.wait_until_granted(order);
}

#[test]
fn a_million_publications_take_no_memory_and_hide_no_final_status() {
    let Some(mut child) = own_process(NAME) else {
        return game();
    };
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let alice = XsollaUser::new(&token);
    let order = sword_order(&emulator);
    child.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Process::start(&mut child);
    writeln!(
        child.stdin.take().unwrap(),
        "{} {} {} {token} {order}",
        emulator.project_id(),
        emulator.store_url(),
        emulator.socket_url(),
    )
    .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_live = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.ends_with("live"));
    assert!(is_live);

    let channel = serde_json::to_string(&emulator.channel(&alice)).unwrap();
    for first in (0..PUBLICATIONS).step_by(A_FRAME as usize) {
        let mut frame = String::new();
        for n in first..first + A_FRAME {
            // Of orders that nobody tracks, and of this one with statuses that nobody knows.
            let (id, status) = match n {
                n if n == PUBLICATIONS - A_FRAME => (order.0, "done".to_owned()),
                n if n % 2 == 0 => (order.0, format!("made_up_{n}")),
                n => (n, "done".to_owned()),
            };
            let offset = n + 10;
            let _ = writeln!(
                frame,
                r#"{{"push":{{"channel":{channel},"pub":{{"data":{{"order_id":{id},"status":"{status}"}},"offset":{offset}}}}}}}"#,
            );
        }
        emulator.send_frame(&alice, frame);
    }
    let mut lines = lines.map_while(Result::ok);
    let heard = lines.find(|line| line.contains("done after"));
    println!("{heard:?}");
    emulator.set_status_silently(order, "done");
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:#?}");
}
