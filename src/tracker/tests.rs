//! The task with real sockets and without a game.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::task::{Command, Link, run};
use crate::game::wake::Bell;
use crate::machine::notice::Notice;
use crate::model::config::XsollaConfig;
use crate::model::ledger::Ledger;
use crate::model::order::OrderId;
use crate::model::user::XsollaUser;

#[test]
fn an_answer_is_taken_although_another_request_was_aborted() {
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = XsollaConfig::new(1);
    config.ledger = Ledger::Disabled;
    config.store_url = format!("http://{}/api", store.local_addr().unwrap());
    config.socket_url = format!("ws://{}/x", silent.local_addr().unwrap());
    // Nothing else is to wake the task.
    config.connect_timeout = Duration::from_secs(3600);
    config.request_timeout = Duration::from_secs(3600);
    config.socket_lifetime = Duration::from_secs(3600);

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (commands, receiver) = tokio::sync::mpsc::unbounded_channel();
    let (sender, notices) = crossbeam_channel::unbounded();
    runtime.spawn(run(Link {
        commands: receiver,
        notices: sender,
        room: Arc::default(),
        bell: Bell::default(),
        counters: Arc::default(),
    }));
    let (alice, bob) = (
        XsollaUser::new("a").with_external_id("alice"),
        XsollaUser::new("b").with_external_id("bob"),
    );
    commands
        .send(Command::Configure(Some(Arc::new(config))))
        .unwrap();
    commands.send(Command::LogIn(alice.clone())).unwrap();
    commands.send(Command::LogIn(bob.clone())).unwrap();
    commands
        .send(Command::Track {
            user: alice.id().clone(),
            order_id: OrderId(1),
        })
        .unwrap();
    commands
        .send(Command::Track {
            user: bob.id().clone(),
            order_id: OrderId(2),
        })
        .unwrap();
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
    commands.send(Command::LogOut(alice.id().clone())).unwrap();
    std::thread::sleep(Duration::from_millis(200));
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
        let notice = notices.recv_timeout(Duration::from_millis(100));
        is_done = matches!(notice, Ok(Notice::Done { .. }));
    }
    drop((of_alice, silent));
    runtime.shutdown_background();
    assert!(is_done, "bob's order is stuck until something else happens");
}
