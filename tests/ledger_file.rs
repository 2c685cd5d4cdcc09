//! What survives the process, on a real disk, and disks that will not play along.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{LedgerError, UserId};
use support::Game;

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bevy_xsolla-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn ledger(&self) -> PathBuf {
        self.0.join("deep/down/ledger.redb")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn game(emulator: &XsollaEmulator, ledger: &Path, user: &XsollaUser) -> Game {
    let mut config = emulator.config();
    config.ledger = Ledger::At(ledger.to_owned());
    config.poll_interval = Duration::from_millis(100);
    let mut game = Game::new(config);
    game.log_in(user);
    game
}

/// A game quits as games do: with a frame in which `AppExit` is sent.
fn quit(mut game: Game) {
    game.app
        .world_mut()
        .write_message(bevy::app::AppExit::Success);
    game.update();
}

#[test]
fn a_purchase_paid_while_the_game_was_closed_is_granted_at_the_next_start() {
    let folder = Folder::new("closed");
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut first = game(&emulator, &folder.ledger(), &alice);
    first.track(order);
    first.wait_for_status(order, "new");
    quit(first);
    emulator.pay(order);
    emulator.deliver(order);

    // A token of another day.
    let mut second = game(&emulator, &folder.ledger(), &emulator.user("alice"));
    second.wait_until_granted(order);
    second.commands(|commands| commands.acknowledge_order(order));
    second.wait_until("the acknowledgement is in the ledger", |world| {
        world
            .resource::<Orders>()
            .get(order)
            .unwrap()
            .is_acknowledged
    });
    quit(second);

    let mut third = game(&emulator, &folder.ledger(), &alice);
    third.track(order);
    third.wait_until("the ledger is read", |world| {
        world
            .resource::<Orders>()
            .get(order)
            .unwrap()
            .is_acknowledged
    });
    let requests = emulator.order_requests();
    third.wait_until("it is asked whether it was refunded", |_| {
        emulator.order_requests() > requests
    });
    third.run_for(Duration::from_millis(200));
    assert_eq!(third.grants(order), 0);
}

#[test]
fn what_was_acknowledged_in_the_last_frame_is_not_granted_again() {
    let folder = Folder::new("last-frame");
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut first = game(&emulator, &folder.ledger(), &alice);
    first.track(order);
    first.wait_until_granted(order);
    first.commands(|commands| commands.acknowledge_order(order));
    quit(first);

    let mut second = game(&emulator, &folder.ledger(), &alice);
    second.wait_until("the ledger is read", |world| {
        world.resource::<Orders>().get(order).is_some()
    });
    second.run_for(Duration::from_millis(500));
    assert_eq!(second.grants(order), 0);
}

#[test]
fn a_refund_while_the_game_was_closed_is_told() {
    let folder = Folder::new("refund");
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut first = game(&emulator, &folder.ledger(), &alice);
    first.track(order);
    first.wait_until_granted(order);
    first.commands(|commands| commands.acknowledge_order(order));
    quit(first);
    emulator.cancel(order);

    let mut second = game(&emulator, &folder.ledger(), &alice);
    second.wait_until("the refund is told", |world| {
        !world.resource::<support::Told>().canceled.is_empty()
    });
    assert!(second.told().canceled[0].was_done);
}

#[test]
fn two_players_on_one_machine_do_not_get_each_others_orders() {
    let folder = Folder::new("players");
    let emulator = XsollaEmulator::start();
    let (alice, bob) = (emulator.user("alice"), emulator.user("bob"));
    let hers = emulator.create_order(&alice, &[("sword", 1)]);
    let mut first = game(&emulator, &folder.ledger(), &alice);
    first.track(hers);
    first.wait_for_status(hers, "new");
    quit(first);
    emulator.deliver(hers);

    let mut second = game(&emulator, &folder.ledger(), &bob);
    let his = emulator.create_order(&bob, &[("helmet", 1)]);
    emulator.deliver(his);
    second.track(his);
    second.wait_until_granted(his);
    assert!(second.orders().get(hers).is_none());
    // On the same game, she logs in after him.
    second.log_in(&alice);
    second.wait_until_granted(hers);
}

#[test]
fn a_damaged_ledger_is_put_aside_and_said_and_tracking_goes_on() {
    let folder = Folder::new("damaged");
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let path = folder.ledger();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let garbage = vec![0x5a; 100_000];
    fs::write(&path, &garbage).unwrap();

    let mut game = game(&emulator, &path, &alice);
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_until_live();
    let state = game.state();
    let Some(LedgerError::Damaged { kept_as }) = state.ledger_error() else {
        panic!("{state:?}");
    };
    assert_eq!(fs::read(kept_as).unwrap(), garbage);
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn every_way_to_damage_a_byte_is_survived() {
    let folder = Folder::new("bytes");
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let path = folder.ledger();
    let mut first = game(&emulator, &path, &alice);
    first.track(order);
    first.wait_for_status(order, "new");
    quit(first);
    let intact = fs::read(&path).unwrap();
    emulator.deliver(order);

    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..40 {
        let mut bytes = intact.clone();
        if random.bool() {
            bytes.truncate(random.usize(..bytes.len()));
        }
        for _ in 0..random.usize(1..20) {
            if let Some(byte) = random.choice(&mut bytes) {
                *byte = random.u8(..);
            }
        }
        let damaged = folder.0.join(format!("damaged/{}.redb", random.u64(..)));
        fs::create_dir_all(damaged.parent().unwrap()).unwrap();
        fs::write(&damaged, &bytes).unwrap();
        let mut game = game(&emulator, &damaged, &alice);
        // Tracked anew, as the player would; granted once, whether or not the ledger had it.
        game.track(order);
        game.wait_until_granted(order);
        assert_eq!(game.grants(order), 1);
    }
}

#[test]
fn a_second_instance_says_that_the_ledger_is_taken_and_tracks_without() {
    let folder = Folder::new("locked");
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let (hers, here) = (
        emulator.create_order(&alice, &[("sword", 1)]),
        emulator.create_order(&alice, &[("sword", 1)]),
    );
    let mut first = game(&emulator, &folder.ledger(), &alice);
    first.track(hers);
    first.wait_for_status(hers, "new");

    let mut second = game(&emulator, &folder.ledger(), &alice);
    second.track(here);
    second.wait_for_status(here, "new");
    let error = second.state().ledger_error().cloned();
    assert!(
        matches!(error, Some(LedgerError::Locked { .. })),
        "{error:?}"
    );
    emulator.deliver(here);
    second.wait_until_granted(here);
    assert!(second.orders().get(hers).is_none());
}

#[test]
fn a_place_that_cannot_be_written_is_said_and_tracking_goes_on() {
    let folder = Folder::new("unwilling");
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    // A file where a folder is needed: refused to everybody, the superuser included.
    let file = folder.0.join("file");
    fs::write(&file, "").unwrap();
    let mut game = game(&emulator, &file.join("ledger.redb"), &alice);
    game.track(order);
    game.wait_for_status(order, "new");
    let error = game.state().ledger_error().cloned();
    assert!(
        matches!(error, Some(LedgerError::Unavailable { .. })),
        "{error:?}"
    );
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn the_ledger_holds_no_token() {
    let folder = Folder::new("secret");
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let alice = XsollaUser::new(&token);
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut game = game(&emulator, &folder.ledger(), &alice);
    game.track(order);
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.commands(|commands| commands.acknowledge_order(order));
    quit(game);
    let bytes = fs::read(folder.ledger()).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("acknowledged"), "this is the file");
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!holds(part));
    }
}

/// Runs in a process of its own, whose environment names the data directory.
#[test]
fn the_default_place_is_the_users_data_directory() {
    const CHILD: &str = "BEVY_XSOLLA_TEST_DATA_DIRECTORY";
    if !cfg!(target_os = "linux") {
        return;
    }
    let folder = Folder::new("default");
    let Some(data) = std::env::var_os(CHILD) else {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_default_place_is_the_users_data_directory"])
            .env(CHILD, &folder.0)
            .env("XDG_DATA_HOME", &folder.0)
            .output()
            .unwrap();
        assert!(
            child.status.success(),
            "{}",
            String::from_utf8_lossy(&child.stdout)
        );
        return;
    };
    let emulator = XsollaEmulator::start();
    let alice: XsollaUser = emulator.user("alice");
    let id: &UserId = alice.id();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut config = emulator.config();
    config.ledger = Ledger::UserData;
    let mut game = Game::new(config);
    game.log_in(&alice);
    game.track(order);
    game.wait_for_status(order, "new");
    let project = Path::new(&data)
        .join("bevy_xsolla")
        .join(emulator.project_id().to_string());
    let files: Vec<_> = fs::read_dir(project).unwrap().collect();
    assert_eq!(files.len(), 1, "one for {id}");
}

#[test]
fn reading_and_writing_never_holds_up_a_frame() {
    let folder = Folder::new("frame");
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let mut game = game(&emulator, &folder.ledger(), &alice);
    let orders = [(); 50].map(|()| emulator.create_order(&alice, &[("sword", 1)]));
    for order in orders {
        game.track(order);
        emulator.deliver(order);
    }
    let mut slowest = Duration::ZERO;
    let deadline = Instant::now() + support::DEADLINE;
    while game.told().done.len() < orders.len() {
        let start = Instant::now();
        game.update();
        slowest = slowest.max(start.elapsed());
        assert!(Instant::now() < deadline, "not all were granted");
        std::thread::sleep(Duration::from_millis(1));
    }
    // A disk's fsync takes milliseconds, and fifty of them would take much longer than this.
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
}
