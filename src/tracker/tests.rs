//! Tests of the task with real sockets and without a game.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::emulator::XsollaEmulator;
use crate::machine::input::Input;
use crate::machine::output::Notice;
use crate::model::config::XsollaConfig;
use crate::model::ledger::Ledger;
use crate::model::order::OrderId;
use crate::model::user::XsollaUser;
use crate::platform::http::Network;
use crate::tracker::driver::run;
use crate::tracker::handle::channels;
use crate::tracker::source::login::Login;

#[test]
fn an_answer_is_taken_although_another_request_was_aborted() {
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = XsollaConfig::new(1);
    config.ledger = Ledger::disabled();
    config.store_url = format!("http://{}/api", store.local_addr().unwrap());
    config.socket_url = format!("ws://{}/x", silent.local_addr().unwrap());
    // No timeout may wake the task.
    config.connect_timeout = Duration::from_secs(3600);
    config.request_timeout = Duration::from_secs(3600);
    config.socket_lifetime = Duration::from_secs(3600);

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (mut handle, ports) = channels();
    runtime.spawn(run(ports));
    let [alice, bob] = ["alice", "bob"].map(|name| XsollaUser::new(name).with_external_id(name));
    handle.send(Input::Configure(Some(Arc::new(config))));
    for (user, order_id) in [(&alice, OrderId(1)), (&bob, OrderId(2))] {
        handle.send(Input::LogIn {
            user: user.clone(),
            expires_in: None,
        });
        handle.send(Input::Track {
            user: user.id().clone(),
            order_id,
        });
    }
    let mut of_bob = None;
    let mut of_alice = None;
    for _ in 0..2 {
        let (mut stream, _) = store.accept().unwrap();
        let mut head = [0; 4096];
        let n = stream.read(&mut head).unwrap();
        if String::from_utf8_lossy(&head[..n]).contains("/order/2") {
            of_bob = Some(stream);
        } else {
            of_alice = Some(stream);
        }
    }
    std::thread::sleep(Duration::from_millis(200));
    handle.send(Input::LogOut(alice.id().clone()));
    let of_alice = of_alice.as_mut().unwrap();
    of_alice
        .set_read_timeout(Some(Duration::from_secs(8)))
        .unwrap();
    let end = of_alice.read(&mut [0]).unwrap();
    assert_eq!(end, 0, "her request is aborted");
    let body =
        r#"{"order_id":2,"status":"done","content":{"items":[{"sku":"sword","quantity":1}]}}"#;
    write!(
        of_bob.as_mut().unwrap(),
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(8);
    let mut is_done = false;
    while Instant::now() < deadline && !is_done {
        is_done = matches!(handle.next_notice(), Some(Notice::Done(_)));
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(silent);
    runtime.shutdown_background();
    assert!(is_done, "bob's order is stuck until something else happens");
}

#[test]
fn a_refresh_token_that_was_refused_is_not_sent_again() {
    let emulator = XsollaEmulator::start();
    let login = Login::new(emulator.xsolla_login("alice"));
    emulator.revoke_refresh_tokens("alice");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for _ in 0..2 {
        let network = Network::default();
        let exchanged = runtime.block_on(login.exchange(&network));
        assert!(exchanged.user.unwrap_err().needs_login);
    }
    assert_eq!(emulator.token_requests(), 1);
}
