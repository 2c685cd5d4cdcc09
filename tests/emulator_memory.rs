//! The emulator's memory, after many sockets have come and gone. The test is alone in its process, whose memory it
//! measures.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::alloc::System;

use bevy_xsolla::emulator::XsollaEmulator;
use emulator_client::{Socket, wait_for};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often sockets come and go.
const WAVES: usize = 5;

/// How many at a time: with the client's end, two files each. Many systems allow 1024.
const WAVE: usize = 400;

/// What may be left of a socket in the heap, in bytes: the note of its `connect`.
const LEFT: usize = 256;

/// What the process may have more of memory, in KiB. Allocators give much of what is freed back to nobody but the
/// program, so it is what a wave needs and not what is left of it. A wave needs 3 MiB, or 53 MiB if sockets have
/// the read buffers that tungstenite gives them.
const MORE: usize = 12 * 1024;

/// The bytes in use.
fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The memory of the process in KiB, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn sockets_that_come_and_go_leave_next_to_nothing() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let wave = |count: usize| {
        let open = || Socket::connected(&emulator, &token).0.into_stream();
        let sockets: Vec<_> = std::iter::repeat_with(open).take(count).collect();
        assert_eq!(emulator.open_sockets(), count);
        drop(sockets);
        wait_for("the sockets end", || emulator.open_sockets() == 0);
    };
    // What is set up once.
    wave(1);
    let (heap_before, resident_before) = (heap(), resident());
    for _ in 0..WAVES {
        wave(WAVE);
    }
    let limit = heap_before + LEFT * WAVES * WAVE;
    wait_for("the memory of the sockets is freed", || heap() <= limit);
    match (resident_before, resident()) {
        (Some(before), Some(after)) => {
            let more = after.saturating_sub(before);
            assert!(more <= MORE, "{before} KiB before, {more} KiB more after");
        }
        _ => println!("SKIPPED: this system does not tell how much memory a process has"),
    }
}
