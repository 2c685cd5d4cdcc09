//! A game quits at once, whatever the network does.

mod support;

use std::net::TcpListener;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::flood::{EndlessAnswers, FloodedSocket, frame};
use support::process::{own_process, run_where_names_hang};
use support::wait::{DEADLINE, wait_until};
use support::{Game, config_for, runtime, shop, sword_order};

/// Windows' timers tick every 16 ms, and a read from a flooded socket takes long in Wine.
const AT_ONCE: Duration = Duration::from_millis(if cfg!(windows) { 300 } else { 100 });

/// The game's last frame, and the end of its app.
#[track_caller]
fn quits_at_once(game: Game) {
    let start = Instant::now();
    game.quit();
    let took = start.elapsed();
    assert!(took < AT_ONCE, "it took {took:?}");
}

#[test]
fn a_game_without_orders_quits_at_once() {
    let mut game = Game::new(XsollaConfig::new(1));
    game.update();
    quits_at_once(game);
}

#[test]
fn a_game_with_a_live_socket_quits_at_once_and_its_socket_closes() {
    let (emulator, mut game) = shop();
    game.track(sword_order(&emulator));
    game.wait_until_live();
    quits_at_once(game);
    wait_until("the socket is closed", || emulator.open_sockets() == 0);
}

#[test]
fn a_game_whose_server_accepts_and_never_answers_quits_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let config = config_for(
        1,
        &format!("http://{address}/api"),
        &format!("ws://{address}/"),
    );
    let mut game = Game::logged_in(config, &XsollaUser::new("token"));
    game.track(OrderId(1));
    game.update();
    // The request, and the socket in the middle of its handshake.
    let connections = [silent.accept().unwrap(), silent.accept().unwrap()];
    quits_at_once(game);
    drop(connections);
}

#[test]
fn a_game_whose_socket_is_not_subscribed_quits_at_once() {
    let (emulator, mut game) = shop();
    emulator.withhold_channels(true);
    game.track(sword_order(&emulator));
    game.wait_until("it has connected", |_| !emulator.connects().is_empty());
    quits_at_once(game);
}

#[test]
fn a_game_whose_request_is_not_answered_quits_at_once() {
    let (emulator, mut game) = shop();
    emulator.hang_requests(true);
    game.track(sword_order(&emulator));
    game.wait_until("it has asked", |_| emulator.order_requests() > 0);
    quits_at_once(game);
}

#[test]
fn the_runtime_of_a_game_that_brought_its_own_is_left_alone() {
    let own = tokio::runtime::Runtime::new().unwrap();
    let handle = own.handle().clone();
    let emulator = XsollaEmulator::start();
    let own = Mutex::new(Some(own));
    let own = runtime(move || own.lock().unwrap().take().unwrap());
    let mut game = Game::with((MinimalPlugins, own, XsollaOrderPlugin), &emulator);
    game.track(sword_order(&emulator));
    game.wait_until_live();
    let (send, receive) = mpsc::channel();
    handle.spawn(async move { send.send("still running") });
    assert_eq!(receive.recv_timeout(DEADLINE), Ok("still running"));
    quits_at_once(game);
}

#[test]
fn a_game_whose_store_sends_informational_answers_without_end_quits_at_once() {
    let flood = EndlessAnswers::start("/nothing", "");
    let address = flood.address;
    let config = config_for(
        1,
        &format!("http://{address}/api"),
        &format!("ws://{address}/"),
    );
    let mut game = Game::logged_in(config, &XsollaUser::new("token"));
    game.track(OrderId(1));
    // The request, and the socket in the middle of its handshake.
    game.wait_until("both are flooded", |_| flood.floods() > 1);
    game.run_for(Duration::from_millis(500));
    quits_at_once(game);
}

#[test]
fn a_game_whose_socket_sends_frames_without_end_quits_at_once() {
    let emulator = XsollaEmulator::start();
    let socket = FloodedSocket::before(&emulator.socket_url());
    let mut config = emulator.config();
    config.socket_url = socket.url();
    let mut game = Game::logged_in(config, &emulator.user("alice"));
    game.track(sword_order(&emulator));
    game.wait_until_live();
    socket.flood(frame(0x89, "").repeat(8 * 1024));
    game.run_for(Duration::from_millis(500));
    quits_at_once(game);
}

/// In a process and a file system view of its own, where the name server never answers.
#[test]
fn a_game_with_a_hanging_dns_look_up_quits_at_once() {
    const NAME: &str = "a_game_with_a_hanging_dns_look_up_quits_at_once";
    let Some(mut test) = own_process(NAME) else {
        let store = "https://store.bevy-xsolla.test/api";
        let config = config_for(1, store, "wss://socket.bevy-xsolla.test/");
        let mut game = Game::logged_in(config, &XsollaUser::new("token"));
        game.track(OrderId(1));
        game.run_for(Duration::from_secs(1));
        assert_eq!(game.state(), TrackerState::Connecting, "the look-up hangs");
        return quits_at_once(game);
    };
    run_where_names_hang(&mut test);
}
