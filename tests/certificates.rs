//! A system without certificates: loopback still works, and encrypted connections say why they cannot.

mod support;

use bevy_xsolla::prelude::*;
use support::process::{own_process, run};
use support::{hurried, hurry, shop_with, sword_order};

#[test]
fn without_certificates_wss_says_why_and_loopback_grants() {
    if let Some(mut test) = own_process("without_certificates_wss_says_why_and_loopback_grants") {
        test.env("SSL_CERT_FILE", "/nonexistent/certificates.pem");
        test.env("SSL_CERT_DIR", "/nonexistent/certificates");
        return run(&mut test);
    }
    let (emulator, mut game) = shop_with(|config| {
        hurry(config);
        config.socket_url = config.socket_url.replace("ws://", "wss://");
    });
    let order = sword_order(&emulator);
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
    let order = sword_order(&emulator);
    game.app.insert_resource(hurried(emulator.config()));
    game.track(order);
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_until_granted(order);
}
