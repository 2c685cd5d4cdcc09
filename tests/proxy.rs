//! Where the token must not go: through a proxy in plain text, or after a redirect.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use bevy_xsolla::prelude::*;
use support::process::{own_process, run};
use support::{Game, config_for, hurried, hurried_shop, sword_order};

#[test]
fn what_is_for_loopback_does_not_go_through_a_proxy() {
    if let Some(mut test) = own_process("what_is_for_loopback_does_not_go_through_a_proxy") {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        proxy.set_nonblocking(true).unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        test.envs(["HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|name| (name, &address)))
            .env_remove("NO_PROXY")
            .env_remove("no_proxy");
        run(&mut test);
        assert!(proxy.accept().is_err(), "the proxy was talked to");
        return;
    }
    let (emulator, mut game) = hurried_shop();
    let order = sword_order(&emulator);
    emulator.refuse_sockets(true);
    emulator.deliver(order);
    game.track(order);
    game.wait_until_granted(order);
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!(
        "http://localhost:{}/",
        elsewhere.local_addr().unwrap().port()
    );
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = store.local_addr().unwrap();
    let config = config_for(
        1,
        &format!("http://{address}/api"),
        &format!("ws://{address}/"),
    );
    let server = std::thread::spawn(move || {
        // The request and the socket, in any order, and then the request once more.
        let mut requests = 0;
        while requests < 2 {
            let (mut stream, _) = store.accept().unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
            requests += u32::from(head.contains("authorization: bearer"));
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let mut game = Game::logged_in(hurried(config), &XsollaUser::new("token"));
    game.track(OrderId(1));
    game.wait_until("it was asked for again", |_| server.is_finished());
    server.join().unwrap();
    game.run_for(Duration::from_millis(200));
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
    assert!(game.told().failed.is_empty());
}
