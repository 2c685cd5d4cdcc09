//! The ledger, which survives the process, on a real disk; and files and places that cannot be used.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bevy_xsolla::LedgerError;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::folder::Folder;
use support::process::{own_process, run};
use support::wait::DEADLINE;
use support::{Game, Told, sword_order};

/// The game of alice, with a ledger.
fn game(emulator: &XsollaEmulator, ledger: &Path) -> Game {
    let mut config = emulator.config();
    config.ledger = Ledger::at(ledger);
    config.poll_interval = Duration::from_millis(100);
    Game::logged_in(config, &emulator.user("alice"))
}

/// Runs a game that is granted the order, acknowledges it and quits at once.
fn grant_and_quit(emulator: &XsollaEmulator, folder: &Folder, order: OrderId) {
    emulator.deliver(order);
    let mut game = game(emulator, &folder.ledger());
    game.track(order);
    game.wait_until_granted(order);
    game.acknowledge(order);
    game.quit();
}

#[test]
fn a_purchase_paid_while_the_game_was_closed_is_granted_at_the_next_start() {
    let folder = Folder::new("closed");
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    let mut first = game(&emulator, &folder.ledger());
    first.track(order);
    first.wait_for_status(order, "new");
    first.quit();
    emulator.pay(order);
    emulator.deliver(order);

    // With another token.
    let mut second = game(&emulator, &folder.ledger());
    second.wait_until_granted(order);
    second.acknowledge(order);
    second.wait_until_acknowledged(order);
    second.quit();

    let mut third = game(&emulator, &folder.ledger());
    third.track(order);
    third.wait_until_acknowledged(order);
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
    let order = sword_order(&emulator);
    grant_and_quit(&emulator, &folder, order);

    let mut game = game(&emulator, &folder.ledger());
    game.wait_until("the ledger is read", |world| {
        world.resource::<Orders>().get(order).is_some()
    });
    game.run_for(Duration::from_millis(500));
    assert_eq!(game.grants(order), 0);
}

#[test]
fn a_refund_while_the_game_was_closed_is_told() {
    let folder = Folder::new("refund");
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    grant_and_quit(&emulator, &folder, order);
    emulator.cancel(order);

    let mut game = game(&emulator, &folder.ledger());
    game.wait_until("the refund is told", |world| {
        !world.resource::<Told>().canceled.is_empty()
    });
    assert!(game.told().canceled[0].was_done);
}

/// A guest's open order is tracked again under the linked account, granted and acknowledged. Then the guest
/// returns.
fn link_and_return(emulator: &XsollaEmulator, config: &XsollaConfig) {
    let mut config = config.clone();
    config.poll_interval = Duration::from_millis(100);
    let order = sword_order(emulator);
    // Both have tokens of one account, and are different players: this one's token cannot be read.
    let page = emulator.payment_url(order).unwrap();
    let token = page.split_once("token=").unwrap().1;
    let guest = XsollaUser::new(token).with_external_id("guest");
    let linked = emulator.user("alice");
    let mut first = Game::logged_in(config.clone(), &guest);
    first.track(order);
    first.wait_for_status(order, "new");
    first.quit();

    let mut second = Game::logged_in(config.clone(), &linked);
    second.track(order);
    second.wait_for_status(order, "new");
    emulator.deliver(order);
    second.wait_until_granted(order);
    second.acknowledge(order);
    second.wait_until_acknowledged(order);
    second.quit();

    // Also if the game tracks it again.
    for tracks_it in [false, true] {
        let mut third = Game::logged_in(config.clone(), &guest);
        let other = sword_order(emulator);
        third.track(other);
        third.wait_for_status(other, "new");
        if tracks_it {
            third.track(order);
            third.wait_until_acknowledged(order);
        }
        third.run_for(Duration::from_millis(500));
        assert_eq!(third.grants(order), 0);
        third.quit();
    }
}

#[test]
fn an_order_of_a_guest_that_the_linked_account_was_granted_is_not_granted_to_the_guest_again() {
    let folder = Folder::new("linked");
    let emulator = XsollaEmulator::start();
    let mut config = emulator.config();
    config.ledger = Ledger::at(folder.ledger());
    link_and_return(&emulator, &config);
}

#[test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "the environment names the directory on Linux only"
)]
fn an_order_moves_from_a_guests_file_to_the_linked_accounts() {
    if let Some(mut test) = own_process("an_order_moves_from_a_guests_file_to_the_linked_accounts")
    {
        let data = Folder::new("linked-files");
        return run(test.env("XDG_DATA_HOME", &*data));
    }
    let emulator = XsollaEmulator::start();
    let mut config = emulator.config();
    config.ledger = Ledger::user_data();
    link_and_return(&emulator, &config);
}

/// Whether a file that is removed while it is open keeps its name until it is closed. Wine does that.
fn keeps_open_names(folder: &Path) -> bool {
    let path = folder.join("name");
    let file = fs::File::create(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let is_there = path.exists();
    drop(file);
    is_there
}

#[test]
fn a_ledger_that_is_deleted_or_damaged_while_the_game_runs_is_told_and_written_anew() {
    for way in ["file", "folder", "damaged"] {
        let folder = Folder::new("deleted");
        let emulator = XsollaEmulator::start();
        let (open, acknowledged) = (sword_order(&emulator), sword_order(&emulator));
        let path = folder.ledger();
        let mut first = game(&emulator, &path);
        first.track(open);
        first.wait_for_status(open, "new");
        emulator.deliver(acknowledged);
        first.track(acknowledged);
        first.wait_until_granted(acknowledged);
        first.acknowledge(acknowledged);
        first.wait_until_acknowledged(acknowledged);
        if way != "damaged" && keeps_open_names(&folder) {
            println!("SKIPPED: this system does not take an open file's name away");
            continue;
        }
        match way {
            "file" => fs::remove_file(&path).unwrap(),
            "folder" => fs::remove_dir_all(path.parent().unwrap()).unwrap(),
            // Windows lets nobody write into a file that is locked.
            _ => match fs::write(&path, "damage") {
                Err(error) if cfg!(windows) => {
                    println!("SKIPPED: {error}");
                    continue;
                }
                written => written.unwrap(),
            },
        }
        first.wait_until("it is told", |world| {
            matches!(
                world.resource::<LedgerState>().trouble(),
                Some(LedgerError::Lost { .. } | LedgerError::Damaged { .. })
            )
        });
        first.wait_until("it is there again", |_| {
            fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 10)
        });
        // What comes after it is kept as well.
        let after = sword_order(&emulator);
        first.track(after);
        first.wait_for_status(after, "new");
        first.quit();

        emulator.deliver(open);
        emulator.deliver(after);
        let mut second = game(&emulator, &path);
        second.wait_until_granted(open);
        second.wait_until_granted(after);
        second.track(acknowledged);
        second.wait_until_acknowledged(acknowledged);
        assert_eq!(second.grants(acknowledged), 0, "{way}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it counts in /proc")]
fn two_hundred_players_who_log_in_one_after_the_other_leave_few_files_open() {
    let name = "two_hundred_players_who_log_in_one_after_the_other_leave_few_files_open";
    if let Some(mut test) = own_process(name) {
        let data = Folder::new("descriptors");
        return run(test.env("XDG_DATA_HOME", &*data));
    }
    let data = std::env::var_os("XDG_DATA_HOME").unwrap();
    let open_files = || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = descriptors.filter_map(|file| fs::read_link(file.path()).ok());
        targets.filter(|target| target.starts_with(&data)).count()
    };
    let emulator = XsollaEmulator::start();
    let mut config = emulator.config();
    config.ledger = Ledger::user_data();
    let mut game = Game::new(config);
    for n in 0..200 {
        let user = emulator.user(&format!("player{n}"));
        game.log_in(&user);
        let order = emulator.create_order(&user, &[("sword", 1)]);
        game.track(order);
        game.wait_for_status(order, "new");
        // Each of them leaves an open order. One more file may be searched at this moment.
        assert!(open_files() <= 20, "{} after {n} log-ins", open_files());
    }
    assert!(open_files() > 0);

    // A player without an open order has no open file.
    game.log_out();
    let mut config = emulator.config();
    config.ledger = Ledger::user_data();
    game.quit();
    let user = emulator.user("the last");
    let mut game = Game::logged_in(config, &user);
    let order = emulator.create_order(&user, &[("sword", 1)]);
    game.track(order);
    game.wait_for_status(order, "new");
    assert!(open_files() > 0);
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.acknowledge(order);
    game.wait_until_acknowledged(order);
    game.log_out();
    game.wait_until("the file is closed", |_| open_files() == 0);
}

#[test]
fn two_players_on_one_machine_do_not_get_each_others_orders() {
    let folder = Folder::new("players");
    let emulator = XsollaEmulator::start();
    let (alice, bob) = (emulator.user("alice"), emulator.user("bob"));
    let hers = sword_order(&emulator);
    let mut first = game(&emulator, &folder.ledger());
    first.track(hers);
    first.wait_for_status(hers, "new");
    first.quit();
    emulator.deliver(hers);

    let mut second = game(&emulator, &folder.ledger());
    second.log_in(&bob);
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
fn a_damaged_ledger_is_put_aside_and_reported_and_tracking_goes_on() {
    let folder = Folder::new("damaged");
    let emulator = XsollaEmulator::start();
    let path = folder.ledger();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let garbage = vec![0x5a; 100_000];
    fs::write(&path, &garbage).unwrap();

    let mut game = game(&emulator, &path);
    let order = sword_order(&emulator);
    game.track(order);
    let error = game.wait_for_ledger_error();
    let LedgerError::Damaged { kept_as } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(fs::read(kept_as).unwrap(), garbage);
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn a_ledger_with_random_damage_grants_each_order_once() {
    let folder = Folder::new("bytes");
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    let path = folder.ledger();
    let mut first = game(&emulator, &path);
    first.track(order);
    first.wait_for_status(order, "new");
    first.quit();
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
        let damaged = folder.join(format!("damaged/{}.redb", random.u64(..)));
        fs::create_dir_all(damaged.parent().unwrap()).unwrap();
        fs::write(&damaged, &bytes).unwrap();
        let mut game = game(&emulator, &damaged);
        // Tracked anew, as the player would; granted once, whether or not the ledger had it.
        game.track(order);
        game.wait_until_granted(order);
        game.run_for(Duration::from_millis(100));
        assert_eq!(game.grants(order), 1);
    }
}

#[test]
fn a_ledger_is_kept_and_put_aside_in_folders_with_names_of_any_script_and_a_long_path() {
    let folder = Folder::new("scripts");
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    // Windows once allowed 260 characters for a path, and still does for programs that do not ask for more.
    let deep = ["Алиса", "愛麗絲", "أليس", "É 🛡", &"ж".repeat(100)];
    let path = folder
        .join(deep.join("/"))
        .join("и".repeat(100))
        .join("ledger.redb");
    assert!(path.to_str().unwrap().chars().count() > 260);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "garbage").unwrap();
    let mut first = game(&emulator, &path);
    first.track(order);
    emulator.deliver(order);
    first.wait_until_granted(order);
    let error = first.wait_for_ledger_error();
    let LedgerError::Damaged { kept_as } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(fs::read(kept_as).unwrap(), b"garbage");
    first.acknowledge(order);
    first.wait_until_acknowledged(order);
    first.quit();

    let mut second = game(&emulator, &path);
    second.track(order);
    second.wait_until_acknowledged(order);
    assert_eq!(second.grants(order), 0);
    assert_eq!(second.ledger_error(), None);
}

/// A virus scanner opens a file, and meanwhile lets nobody open it, or nobody rename and remove it.
#[cfg(windows)]
#[test]
fn a_file_that_a_virus_scanner_holds_is_told_and_used_once_it_is_free_and_nothing_is_granted_twice()
{
    use std::io::Write;
    use std::os::windows::fs::OpenOptionsExt;
    use support::wait::wait_until;
    const READ_AND_WRITE: u32 = 3;
    for (is_sound, shares) in [(true, 0), (false, 0), (false, READ_AND_WRITE)] {
        let folder = Folder::new("scanner");
        let emulator = XsollaEmulator::start();
        let order = sword_order(&emulator);
        grant_and_quit(&emulator, &folder, order);
        let path = folder.ledger();
        let hold = |shares| {
            let mut options = fs::OpenOptions::new();
            options
                .read(true)
                .write(true)
                .share_mode(shares)
                .open(&path)
        };
        wait_until("the game that has quit has closed its file", || {
            hold(0).is_ok()
        });
        let mut scanner = hold(shares).unwrap();
        if !is_sound {
            scanner.write_all(&[0x5a; 1_000]).unwrap();
        }
        let mut game = game(&emulator, &path);
        game.track(order);
        game.wait_until("it is told", |world| {
            let trouble = world.resource::<LedgerState>().trouble();
            matches!(trouble, Some(LedgerError::Locked { .. }))
        });
        // It is not guessed at what is in there.
        game.wait_for_status(order, "done");
        game.run_for(Duration::from_millis(500));
        assert_eq!(game.grants(order), 0);

        drop(scanner);
        if is_sound {
            game.wait_until_acknowledged(order);
            assert_eq!(game.grants(order), 0);
            game.wait_until("the trouble is over", |world| {
                world.resource::<LedgerState>().trouble().is_none()
            });
        } else {
            game.wait_until("it is put aside", |world| {
                let trouble = world.resource::<LedgerState>().trouble();
                matches!(trouble, Some(LedgerError::Damaged { .. }))
            });
            game.wait_until_granted(order);
        }
    }
}

/// A virus scanner looks at each new file, and holds it for a moment.
#[cfg(windows)]
#[test]
fn a_virus_scanner_that_holds_each_file_for_a_moment_costs_no_entry() {
    use std::os::windows::fs::OpenOptionsExt;
    use std::sync::mpsc::{TryRecvError, channel};

    let folder = Folder::new("new-files");
    let emulator = XsollaEmulator::start();
    let path = folder.ledger();
    let place = path.parent().unwrap().to_owned();
    fs::create_dir_all(&place).unwrap();
    // It ends with the test.
    let (end, ends) = channel::<()>();
    let scanner = std::thread::spawn(move || {
        let mut held = 0;
        while ends.try_recv() == Err(TryRecvError::Empty) {
            for file in fs::read_dir(&place).unwrap().flatten() {
                let mut options = fs::OpenOptions::new();
                // Those that the game has open are looked at later.
                if let Ok(_file) = options.read(true).share_mode(0).open(file.path()) {
                    held += 1;
                    std::thread::sleep(Duration::from_millis(30));
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        held
    });
    let orders = [(); 10].map(|()| sword_order(&emulator));
    for order in orders {
        // Each of them opens the file anew.
        let mut game = game(&emulator, &path);
        game.track(order);
        emulator.deliver(order);
        game.wait_until_granted(order);
        game.acknowledge(order);
        game.wait_until_acknowledged(order);
        game.quit();
    }
    drop(end);
    let held = scanner.join().unwrap();
    assert!(held > 0, "the scanner has held a file");
    let mut game = game(&emulator, &path);
    for order in orders {
        game.track(order);
        game.wait_until_acknowledged(order);
        assert_eq!(game.grants(order), 0);
    }
    game.quit();
}

#[test]
fn a_second_instance_reports_that_the_ledger_is_in_use_and_tracks_without_it() {
    let folder = Folder::new("locked");
    let emulator = XsollaEmulator::start();
    let (there, here) = (sword_order(&emulator), sword_order(&emulator));
    let mut first = game(&emulator, &folder.ledger());
    first.track(there);
    first.wait_for_status(there, "new");

    let mut second = game(&emulator, &folder.ledger());
    second.track(here);
    second.wait_for_status(here, "new");
    let error = second.wait_for_ledger_error();
    assert!(matches!(error, LedgerError::Locked { .. }), "{error:?}");
    emulator.deliver(here);
    second.wait_until_granted(here);
    assert!(second.orders().get(there).is_none());
}

#[test]
fn a_place_that_cannot_be_written_is_reported_and_tracking_goes_on() {
    let folder = Folder::new("unwilling");
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    // A file where a folder is needed: refused to everybody, the superuser included.
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    let mut game = game(&emulator, &file.join("ledger.redb"));
    game.track(order);
    game.wait_for_status(order, "new");
    let error = game.wait_for_ledger_error();
    assert!(
        matches!(error, LedgerError::Unavailable { .. }),
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
    let order = sword_order(&emulator);
    let mut game = game(&emulator, &folder.ledger());
    game.log_in(&XsollaUser::new(&token));
    game.track(order);
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.acknowledge(order);
    game.wait_until_acknowledged(order);
    game.quit();
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

#[cfg(target_os = "linux")]
#[test]
fn the_default_place_is_the_users_data_directory() {
    if let Some(mut test) = own_process("the_default_place_is_the_users_data_directory") {
        let data = Folder::new("default");
        return run(test.env("XDG_DATA_HOME", &*data));
    }
    let emulator = XsollaEmulator::start();
    let mut config = emulator.config();
    config.ledger = Ledger::user_data();
    let alice = emulator.user("alice");
    let mut game = Game::logged_in(config, &alice);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    let data = std::env::var_os("XDG_DATA_HOME").unwrap();
    let project = Path::new(&data)
        .join("bevy_xsolla")
        .join(emulator.project_id().to_string());
    let files = fs::read_dir(project).unwrap();
    assert_eq!(files.count(), 1, "one for {}", alice.id());
}

#[cfg(windows)]
#[test]
fn the_default_place_is_the_users_data_directory() {
    let emulator = XsollaEmulator::start();
    let mut config = emulator.config();
    config.ledger = Ledger::user_data();
    let data = std::env::var_os("APPDATA").unwrap();
    let project = Path::new(&data)
        .join("bevy_xsolla")
        .join(emulator.project_id().to_string());
    let _ = fs::remove_dir_all(&project);
    let mut game = Game::logged_in(config, &emulator.user("alice"));
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    assert_eq!(fs::read_dir(&project).unwrap().count(), 1);
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.acknowledge(order);
    game.wait_until_acknowledged(order);
    game.quit();
    fs::remove_dir_all(project).unwrap();
}

#[test]
fn reading_and_writing_never_holds_up_a_frame() {
    let folder = Folder::new("frame");
    let emulator = XsollaEmulator::start();
    let mut game = game(&emulator, &folder.ledger());
    let orders = [(); 50].map(|()| sword_order(&emulator));
    for order in orders {
        game.track(order);
        emulator.deliver(order);
    }
    let mut slowest = Duration::ZERO;
    let deadline = Instant::now() + DEADLINE;
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
