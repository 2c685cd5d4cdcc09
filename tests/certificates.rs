//! A system without certificates: loopback still works, and encrypted connections say why they cannot.

mod support;

use std::process::Command;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::{Game, hurried};

/// Set in the child process, whose environment names a certificate store that is not there.
const CHILD: &str = "BEVY_XSOLLA_TEST_WITHOUT_CERTIFICATES";

#[test]
fn without_certificates_wss_says_why_and_loopback_grants() {
    if std::env::var_os(CHILD).is_none() {
        let name = "without_certificates_wss_says_why_and_loopback_grants";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .env("SSL_CERT_FILE", "/nonexistent/certificates.pem")
            .env("SSL_CERT_DIR", "/nonexistent/certificates")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{output}");
        return;
    }

    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut config = hurried(emulator.config());
    config.socket_url = config.socket_url.replace("ws://", "wss://");
    let mut game = Game::new(config);
    game.log_in(&alice);
    game.track(order);
    // Only where the environment chooses the store; elsewhere the system's own is used.
    if cfg!(target_os = "linux") {
        game.wait_until("the reason is told", |world| {
            let state = format!("{:?}", world.resource::<TrackerState>());
            state.contains("certificates")
        });
    }
    emulator.deliver(order);
    game.wait_until_granted(order);

    // With the socket in plain text as well, news comes over it.
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.app.insert_resource(hurried(emulator.config()));
    game.track(order);
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_until_granted(order);
}
