//! Games that are stopped and go on: by the system, which stops the process; by a phone, which suspends a game in the
//! background; and for the player, who pays in the browser and comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

mod support;

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy::window::{AppLifecycle, WindowFocused};
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::folder::Folder;
use support::process::{Task, own_process, run};
use support::{Game, sword_order};

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3600);

/// Gives a game the messages of windows, as Bevy's plugins do.
fn with_windows(mut game: Game) -> Game {
    game.app
        .add_message::<AppLifecycle>()
        .add_message::<WindowFocused>();
    game.app.finish();
    game.app.cleanup();
    game
}

/// A game with windows that follows an order over a live socket.
fn following(emulator: &XsollaEmulator) -> (Game, OrderId) {
    let game = Game::logged_in(emulator.config(), &emulator.user("alice"));
    let mut game = with_windows(game);
    let order = sword_order(emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    game.wait_until_live();
    (game, order)
}

/// A game whose socket is live and that follows an order which was paid without news of it.
fn paid_without_news() -> (XsollaEmulator, Game, OrderId) {
    let emulator = XsollaEmulator::start();
    let (game, order) = following(&emulator);
    emulator.set_status_silently(order, "done");
    (emulator, game, order)
}

/// The requests for an order keep a distance of a quarter of a second.
fn is_within_a_second(since: Instant) {
    let time = since.elapsed();
    assert!(time < Duration::from_secs(1), "it took {time:?}");
}

fn tell_focus(game: &mut Game, focused: bool) {
    let window = Entity::PLACEHOLDER;
    let message = WindowFocused { window, focused };
    game.app.world_mut().write_message(message);
    game.update();
}

fn tell(game: &mut Game, lifecycle: AppLifecycle) {
    game.app.world_mut().write_message(lifecycle);
    game.update();
}

#[test]
fn a_game_that_is_resumed_asks_for_its_orders_and_opens_its_socket_anew() {
    // Winit's runner leaves out `WillSuspend` and `WillResume`.
    for (stops, goes_on) in [
        (AppLifecycle::WillSuspend, AppLifecycle::WillResume),
        (AppLifecycle::Suspended, AppLifecycle::Running),
    ] {
        let (emulator, mut game, order) = paid_without_news();
        tell(&mut game, stops);
        let opened = emulator.sockets_opened();
        let resumed = Instant::now();
        tell(&mut game, goes_on);
        game.wait_until_granted(order);
        is_within_a_second(resumed);
        let again = sword_order(&emulator);
        game.track(again);
        game.wait_until("a socket is opened anew", |_| {
            emulator.sockets_opened() > opened
        });
        assert_eq!(game.grants(order), 1);
    }
}

#[test]
fn a_socket_that_has_died_unnoticed_is_replaced_at_once_when_the_game_is_resumed() {
    let emulator = XsollaEmulator::start();
    // It would be pinged, and so found dead, only much later.
    emulator.set_ping_interval(NEVER);
    let (mut game, order) = following(&emulator);
    emulator.hang_sockets(true);
    tell(&mut game, AppLifecycle::Suspended);
    emulator.hang_sockets(false);
    let opened = emulator.sockets_opened();
    let resumed = Instant::now();
    tell(&mut game, AppLifecycle::Running);
    game.wait_until("a socket is opened anew", |_| {
        emulator.sockets_opened() > opened
    });
    is_within_a_second(resumed);
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn a_game_that_starts_is_not_taken_for_one_that_is_resumed() {
    let emulator = XsollaEmulator::start();
    let (mut game, order) = following(&emulator);
    tell_focus(&mut game, true);
    tell(&mut game, AppLifecycle::Running);
    game.run_for(Duration::from_secs(1));
    assert_eq!(
        (
            emulator.sockets_opened(),
            emulator.order_requests_for(order)
        ),
        (1, 1)
    );
}

#[test]
fn a_player_who_comes_back_to_the_window_has_the_orders_asked_for() {
    let (emulator, mut game, order) = paid_without_news();
    tell_focus(&mut game, false);
    game.run_for(Duration::from_millis(500));
    assert_eq!(game.grants(order), 0);
    let returned = Instant::now();
    tell_focus(&mut game, true);
    game.wait_until_granted(order);
    is_within_a_second(returned);
    assert_eq!(emulator.sockets_opened(), 1, "the socket was alive");
}

#[test]
fn an_address_that_brings_the_player_back_has_the_orders_asked_for() {
    let (_emulator, mut game, order) = paid_without_news();
    game.run_for(Duration::from_millis(500));
    assert_eq!(game.grants(order), 0);
    let returned = Instant::now();
    let address = payment_return("mygame://shop?user_id=alice&invoice_id=1&status=done");
    game.commands(|commands| commands.payment_returned(address));
    game.wait_until_granted(order);
    is_within_a_second(returned);
}

#[test]
fn an_address_that_says_done_grants_nothing_that_was_not_paid() {
    let emulator = XsollaEmulator::start();
    let (mut game, order) = following(&emulator);
    let asked = emulator.order_requests_for(order);
    for _ in 0..3 {
        let address = payment_return("mygame://shop?user_id=alice&invoice_id=1&status=done");
        game.commands(|commands| commands.payment_returned(address));
        game.run_for(Duration::from_millis(300));
    }
    assert!(emulator.order_requests_for(order) > asked);
    assert_eq!(game.grants(order), 0);
    assert_eq!(game.statuses(order), ["new"]);
}

#[test]
fn what_is_acknowledged_before_a_suspension_is_on_disk() {
    const NAME: &str = "what_is_acknowledged_before_a_suspension_is_on_disk";
    const LEDGER: &str = "BEVY_XSOLLA_TEST_LEDGER";
    let Some(mut test) = own_process(NAME) else {
        let (game, order) = Task::game();
        let mut game = with_windows(game);
        let ledger = Ledger::at(std::env::var_os(LEDGER).unwrap());
        game.app.world_mut().resource_mut::<XsollaConfig>().ledger = ledger;
        game.track(order);
        game.wait_until_granted(order);
        game.acknowledge(order);
        tell(&mut game, AppLifecycle::Suspended);
        // The system ends a suspended game without a word.
        std::process::exit(0);
    };
    let emulator = XsollaEmulator::start();
    let folder = Folder::new("suspended");
    let task = Task::new(&emulator);
    emulator.deliver(task.order);
    task.give(&mut test);
    run(test.env(LEDGER, folder.ledger()));

    let mut config = emulator.config();
    config.ledger = Ledger::at(folder.ledger());
    let mut game = Game::logged_in(config, &emulator.user("alice"));
    game.track(task.order);
    game.wait_until_acknowledged(task.order);
    assert_eq!(game.grants(task.order), 0);
}

#[cfg(unix)]
mod stopped {
    use super::support::process::grant_after_a_stop;
    use super::*;

    #[test]
    fn an_order_that_was_paid_while_the_process_was_stopped_is_granted_within_a_second() {
        const NAME: &str = "stopped::an_order_that_was_paid_while_the_process_was_stopped_is_granted_within_a_second";
        let Some(mut test) = own_process(NAME) else {
            return Task::tell_of_grant();
        };
        let seconds = std::env::var("BEVY_XSOLLA_STOPPED").map_or(7, |text| text.parse().unwrap());
        let stop = Duration::from_secs(seconds);
        let time = grant_after_a_stop(&mut test, || std::thread::sleep(stop));
        assert!(time < Duration::from_secs(1), "it took {time:?}");
    }
}
