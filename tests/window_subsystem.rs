//! A game of Windows' window subsystem has no console: what it prints and logs goes nowhere, and nothing else changes.

#![cfg(windows)]
#![windows_subsystem = "windows"]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

mod support;

use std::fs;
use std::io::stdout;
use std::os::windows::io::AsRawHandle;
use std::process::Command;

use bevy::log::{Level, LogPlugin};
use bevy::prelude::*;
use bevy_xsolla::LedgerError;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::folder::Folder;
use support::process::{own_process, run};
use support::{Game, sword_order};

const RESULT: &str = "TEST_RESULT";

#[test]
fn a_game_without_a_console_is_granted_its_orders_and_logs_into_the_void() {
    const NAME: &str = "a_game_without_a_console_is_granted_its_orders_and_logs_into_the_void";
    let Some(test) = own_process(NAME) else {
        return play();
    };
    let folder = Folder::new("no-console");
    let result = folder.join("result");
    let set = test
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    // As the desktop starts a program, without its own streams.
    let mut start = Command::new("cmd");
    start
        .args(["/c", "start", "", "/wait"])
        .arg(test.get_program())
        .args(test.get_args())
        .envs(set)
        .env(RESULT, &result);
    run(&mut start);
    assert_eq!(fs::read_to_string(result).unwrap(), "granted");
}

fn play() {
    let result = std::env::var_os(RESULT).unwrap();
    assert!(stdout().as_raw_handle().is_null(), "there is a console");
    let emulator = XsollaEmulator::start();
    let logs = LogPlugin {
        level: Level::TRACE,
        filter: "trace".to_owned(),
        ..default()
    };
    let mut game = Game::with((MinimalPlugins, logs, XsollaOrderPlugin), &emulator);
    // It warns of a place that cannot be written.
    fs::write(&result, "").unwrap();
    let mut config = emulator.config();
    config.ledger = Ledger::at(std::path::Path::new(&result).join("ledger.redb"));
    game.app.insert_resource(config);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    let error = game.wait_for_ledger_error();
    assert!(
        matches!(error, LedgerError::Unavailable { .. }),
        "{error:?}"
    );
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.quit();
    fs::write(result, "granted").unwrap();
}
