//! What happens to the clocks of a machine, and what a game makes of it. A small library that is put before the
//! system's tells the game's process other times.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use bevy_xsolla::emulator::XsollaEmulator;
use support::folder::Folder;
use support::interop;
use support::process::{Process, Task, grant_after_a_stop, own_process, run};
use support::wait::wait_until;

/// Adds two days to the calendar, and an hour to the clock that counts the machine's sleep, as soon as the files exist
/// that the environment names. The monotonic clock stays as it is, as it does while a machine sleeps.
const CLOCKS: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    const char *calendar = getenv("TEST_CALENDAR"), *sleep = getenv("TEST_SLEEP");
    if (clock == CLOCK_REALTIME && calendar && access(calendar, F_OK) == 0)
        now->tv_sec += 2 * 24 * 60 * 60;
    if (clock == CLOCK_BOOTTIME && sleep && access(sleep, F_OK) == 0)
        now->tv_sec += 60 * 60;
    return result;
}
"#;

/// Puts the library before the system's. `false` where it cannot be built.
fn change_clocks(test: &mut Command, folder: &Path) -> bool {
    let (source, library) = (folder.join("clocks.c"), folder.join("clocks.so"));
    std::fs::write(&source, CLOCKS).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    let is_built = built.is_ok_and(|status| status.success());
    let built = is_built.then_some(()).ok_or("cc builds no library");
    if !cfg!(target_os = "linux") || interop::found(built).is_none() {
        return false;
    }
    test.env("LD_PRELOAD", library)
        .env("TEST_CALENDAR", folder.join("calendar"))
        .env("TEST_SLEEP", folder.join("sleep"));
    true
}

fn happen(event: &str) {
    std::fs::write(std::env::var(event).unwrap(), "").unwrap();
}

#[test]
fn a_calendar_that_is_set_forward_by_two_days_decides_nothing() {
    const NAME: &str = "a_calendar_that_is_set_forward_by_two_days_decides_nothing";
    let Some(mut test) = own_process(NAME) else {
        let (mut game, order) = Task::game();
        game.track(order);
        game.wait_until_live();
        let before = SystemTime::now();
        happen("TEST_CALENDAR");
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(before.elapsed().unwrap() > day, "the calendar was set");
        // A waiting task looks at the clock every five seconds.
        game.run_for(Duration::from_secs(8));
        assert!(game.told().failed.is_empty(), "{:?}", game.told().failed);
        assert!(game.state().is_live(), "{:?}", game.state());
        return;
    };
    let folder = Folder::new("calendar");
    if !change_clocks(&mut test, &folder) {
        return;
    }
    let emulator = XsollaEmulator::start();
    Task::new(&emulator).give(&mut test);
    run(&mut test);
    assert_eq!(emulator.sockets_opened(), 1);
}

#[test]
fn an_hour_of_the_machines_sleep_is_noticed() {
    let Some(mut test) = own_process("an_hour_of_the_machines_sleep_is_noticed") else {
        let (mut game, order) = Task::game();
        game.track(order);
        game.wait_until_live();
        happen("TEST_SLEEP");
        game.wait_until_granted(order);
        return;
    };
    let folder = Folder::new("sleep");
    if !change_clocks(&mut test, &folder) {
        return;
    }
    let emulator = XsollaEmulator::start();
    let task = Task::new(&emulator);
    task.give(&mut test);
    let mut game = Process::start(&mut test);
    // An hour without a ping is a connection that was lost.
    wait_until("the socket is opened again", || {
        emulator.sockets_opened() > 1
    });
    emulator.deliver(task.order);
    assert!(game.wait_for_end().success());
}

/// The machine sleeps for an hour, and nothing tells the game of it when it wakes.
#[test]
fn an_order_that_was_paid_while_the_machine_slept_is_granted_within_a_second() {
    const NAME: &str = "an_order_that_was_paid_while_the_machine_slept_is_granted_within_a_second";
    let Some(mut test) = own_process(NAME) else {
        return Task::tell_of_grant();
    };
    let folder = Folder::new("woken");
    if !change_clocks(&mut test, &folder) {
        return;
    }
    let time = grant_after_a_stop(&mut test, || {
        std::fs::write(folder.join("sleep"), "").unwrap();
    });
    assert!(time < Duration::from_secs(1), "it took {time:?}");
}
