//! A game quits at once, whatever the network does.

mod support;

use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_tokio_tasks::TokioTasksPlugin;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::Game;

const AT_ONCE: Duration = Duration::from_millis(100);

/// The game's last frame, and the end of its app.
#[track_caller]
fn quits_at_once(mut game: Game) {
    let start = Instant::now();
    game.app.world_mut().write_message(AppExit::Success);
    game.update();
    drop(game);
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
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut game = Game::new(emulator.config());
    game.log_in(&alice);
    game.track(order);
    game.wait_until_live();
    quits_at_once(game);
    let deadline = Instant::now() + support::DEADLINE;
    while emulator.open_sockets() > 0 {
        assert!(Instant::now() < deadline, "the socket stays open");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_game_whose_server_accepts_and_never_answers_quits_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let mut config = XsollaConfig::new(1);
    config.ledger = Ledger::Disabled;
    config.store_url = format!("http://{address}/api");
    config.socket_url = format!("ws://{address}/");
    let mut game = Game::new(config);
    game.log_in(&XsollaUser::new("token"));
    game.track(OrderId(1));
    game.update();
    // The request, and the socket in the middle of its handshake.
    let connections = [silent.accept().unwrap(), silent.accept().unwrap()];
    quits_at_once(game);
    drop(connections);
}

#[test]
fn a_game_whose_server_hangs_at_every_step_quits_at_once() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    for step in 0..3 {
        emulator.heal();
        match step {
            0 => emulator.hang_handshakes(true),
            1 => emulator.withhold_channels(true),
            _ => emulator.hang_requests(true),
        }
        let order = emulator.create_order(&alice, &[("sword", 1)]);
        let mut game = Game::new(emulator.config());
        game.log_in(&alice);
        game.track(order);
        let (requests, sockets) = (emulator.order_requests(), emulator.sockets_opened());
        game.wait_until("something is under way", |_| {
            emulator.order_requests() > requests || emulator.sockets_opened() > sockets
        });
        quits_at_once(game);
    }
}

#[test]
fn the_runtime_of_a_game_that_brought_its_own_is_left_alone() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let runtime = std::sync::Mutex::new(Some(runtime));
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins,
        TokioTasksPlugin {
            make_runtime: Box::new(move || runtime.lock().unwrap().take().unwrap()),
            ..default()
        },
        XsollaOrderPlugin,
    ))
    .insert_resource(emulator.config())
    .insert_resource(alice);
    let mut game = Game::of(app);
    game.track(order);
    game.wait_until_live();
    let (send, receive) = std::sync::mpsc::channel();
    handle.spawn(async move { send.send("still running") });
    assert_eq!(receive.recv_timeout(support::DEADLINE), Ok("still running"));
    quits_at_once(game);
}

/// In a process and a file system view of its own, where the name server never answers.
#[test]
fn a_game_with_a_hanging_dns_look_up_quits_at_once() {
    const CHILD: &str = "BEVY_XSOLLA_TEST_HANGING_DNS";
    if std::env::var_os(CHILD).is_some() {
        let mut config = XsollaConfig::new(1);
        config.ledger = Ledger::Disabled;
        config.store_url = "https://store.bevy-xsolla.test/api".to_owned();
        config.socket_url = "wss://socket.bevy-xsolla.test/".to_owned();
        let mut game = Game::new(config);
        game.log_in(&XsollaUser::new("token"));
        game.track(OrderId(1));
        game.run_for(Duration::from_secs(1));
        assert_eq!(game.state(), TrackerState::Connecting, "the look-up hangs");
        quits_at_once(game);
        println!("quit at once");
        return;
    }

    // It takes in the questions and says nothing. Port 53 and a mount need privileges.
    let Ok(name_server) = UdpSocket::bind("127.0.0.77:53") else {
        println!("SKIPPED: the name server's port cannot be had");
        return;
    };
    let folder = std::env::temp_dir().join(format!("bevy_xsolla-dns-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("resolv.conf");
    std::fs::write(&file, "nameserver 127.0.0.77\n").unwrap();
    let script = r#"mount --bind "$1" /etc/resolv.conf && exec "$2" --exact \
        a_game_with_a_hanging_dns_look_up_quits_at_once --nocapture"#;
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&file)
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, "1")
        .output();
    let _ = std::fs::remove_dir_all(&folder);
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
