//! A game quits at once, whatever the network does.

mod support;

use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::folder::Folder;
use support::process::own_process;
use support::wait::{DEADLINE, wait_until};
use support::{Game, config_for, runtime, shop, sword_order};

const AT_ONCE: Duration = Duration::from_millis(100);

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

/// In a process and a file system view of its own, where the name server never answers.
#[test]
fn a_game_with_a_hanging_dns_look_up_quits_at_once() {
    let Some(test) = own_process("a_game_with_a_hanging_dns_look_up_quits_at_once") else {
        let store = "https://store.bevy-xsolla.test/api";
        let config = config_for(1, store, "wss://socket.bevy-xsolla.test/");
        let mut game = Game::logged_in(config, &XsollaUser::new("token"));
        game.track(OrderId(1));
        game.run_for(Duration::from_secs(1));
        assert_eq!(game.state(), TrackerState::Connecting, "the look-up hangs");
        quits_at_once(game);
        println!("quit at once");
        return;
    };

    // It takes in the questions and says nothing. Port 53 and a mount need privileges.
    let Ok(name_server) = UdpSocket::bind("127.0.0.77:53") else {
        println!("SKIPPED: the name server's port cannot be had");
        return;
    };
    let folder = Folder::new("dns");
    let file = folder.join("resolv.conf");
    std::fs::write(&file, "nameserver 127.0.0.77\n").unwrap();
    let script = r#"mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#;
    let set = test
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&file)
        .arg(test.get_program())
        .args(test.get_args())
        .envs(set)
        .output();
    drop(name_server);
    let Ok(child) = child else {
        println!("SKIPPED: there is no unshare");
        return;
    };
    let (output, errors) = (
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr),
    );
    if errors.contains("mount:") || errors.contains("unshare:") {
        println!("SKIPPED: {errors}");
        return;
    }
    assert!(output.contains("quit at once"), "{output}{errors}");
}
