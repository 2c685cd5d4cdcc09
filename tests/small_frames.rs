//! A socket that sends as many small frames as it can takes up a part of one core, and no more.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bevy_xsolla::emulator::XsollaEmulator;
use support::flood::{FloodedSocket, frame};
use support::process::{Process, Task, own_process};

/// How long the game hears the flood before its time is measured. A burst may cost more.
const BEFORE: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(4);
/// The most of a core that the plugin's thread may want. Without a limit it wants all of it.
const SHARE_MAX: f64 = 0.5;

/// How long the plugin's thread has run, or wanted to while the machine was busy.
fn wanted_time() -> Option<Duration> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let mut threads = threads.map(|thread| thread.unwrap().path());
    let is_ours = |thread: &PathBuf| {
        let name = std::fs::read_to_string(thread.join("comm"));
        name.is_ok_and(|name| name.trim() == "xsolla")
    };
    let thread = threads.find(is_ours)?;
    let stat = std::fs::read_to_string(thread.join("schedstat")).ok()?;
    let nanos = stat.split(' ').take(2).map(|n| n.parse::<u64>().unwrap());
    Some(Duration::from_nanos(nanos.sum()))
}

fn game() {
    let (mut game, order) = Task::game();
    game.track(order);
    game.wait_until_live();
    println!("live");
    let mut frames_for = |time: Duration| {
        let end = Instant::now() + time;
        while Instant::now() < end {
            game.update();
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    frames_for(BEFORE);
    let (start, before) = (Instant::now(), wanted_time());
    frames_for(MEASURED);
    let used = wanted_time()
        .zip(before)
        .map(|(after, before)| after - before);
    let Some(used) = used else {
        println!("SKIPPED: this system does not tell the time of a thread");
        return;
    };
    let share = used.as_secs_f64() / start.elapsed().as_secs_f64();
    println!("{share:.2} of a core");
    assert!(share < SHARE_MAX, "{share:.2} of a core");
    assert!(game.state().is_live(), "{:?}", game.state());
}

fn takes_up_a_part_of_one_core(test: &str, flood: &[u8]) {
    let Some(mut child) = own_process(test) else {
        return game();
    };
    let emulator = XsollaEmulator::start();
    let socket = FloodedSocket::before(&emulator.socket_url());
    let mut task = Task::new(&emulator);
    task.socket_url = socket.url();
    task.give(&mut child);
    let mut child = Process::start(child.stdout(Stdio::piped()));
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("live")));
    socket.flood(flood.repeat(16 * 1024 / flood.len()));
    let rest: Vec<String> = lines.collect();
    println!("{rest:?}");
    std::io::stdout().flush().unwrap();
    assert!(child.wait_for_end().success(), "{rest:#?}");
}

#[test]
fn pings_without_end_take_up_a_part_of_one_core() {
    takes_up_a_part_of_one_core(
        "pings_without_end_take_up_a_part_of_one_core",
        &frame(0x89, ""),
    );
}

#[test]
fn replies_that_nobody_waits_for_take_up_a_part_of_one_core() {
    takes_up_a_part_of_one_core(
        "replies_that_nobody_waits_for_take_up_a_part_of_one_core",
        &frame(0x81, r#"{"id":4000000}"#),
    );
}

#[test]
fn pushes_that_nobody_knows_take_up_a_part_of_one_core() {
    takes_up_a_part_of_one_core(
        "pushes_that_nobody_knows_take_up_a_part_of_one_core",
        &frame(
            0x81,
            r#"{"push":{"channel":"other","pub":{"data":{"order_id":1,"status":"done"},"offset":1}}}"#,
        ),
    );
}

#[test]
fn messages_in_empty_parts_take_up_a_part_of_one_core() {
    let mut message = frame(0x01, "");
    for _ in 0..500 {
        message.extend(frame(0x00, ""));
    }
    message.extend(frame(0x80, r#"{"push":{}}"#));
    takes_up_a_part_of_one_core(
        "messages_in_empty_parts_take_up_a_part_of_one_core",
        &message,
    );
}
