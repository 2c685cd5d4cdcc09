//! One server's or order's trouble delays no other, and a connection that is dead costs no purchase.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::flood::EndlessAnswers;
use support::process::{own_process, run_where_names_hang};
use support::{Game, config_for, hurried, sword_order};

#[test]
fn informational_answers_without_end_delay_no_other_order() {
    let store = EndlessAnswers::start(
        "/order/2",
        r#"{"order_id":2,"status":"done","content":{"items":[{"sku":"sword","quantity":1}]}}"#,
    );
    let address = store.address;
    let config = config_for(
        1,
        &format!("http://{address}/api"),
        &format!("ws://{address}/"),
    );
    let mut game = Game::logged_in(hurried(config), &XsollaUser::new("token"));
    for order in 3..8 {
        game.track(OrderId(order));
    }
    game.update();
    game.wait_until("all of them flood", |_| store.floods() > 5);
    let start = Instant::now();
    game.track(OrderId(2));
    game.wait_until_granted(OrderId(2));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

/// In a process and a file system view of its own, where the name server never answers.
#[test]
fn names_that_hang_delay_no_other_server() {
    let Some(mut test) = own_process("names_that_hang_delay_no_other_server") else {
        let emulator = XsollaEmulator::start();
        let mut game = Game::logged_in(emulator.config(), &emulator.user("alice"));
        game.track(sword_order(&emulator));
        for n in 0..10 {
            let host = format!("{n}.bevy-xsolla.test");
            let (store, socket) = (format!("https://{host}/api"), format!("wss://{host}/"));
            let config = config_for(emulator.project_id(), &store, &socket);
            game.app.insert_resource(config);
            game.wait_until("the name is looked up", |_| look_ups() > n);
        }
        let mut config = emulator.config();
        // It is in the system's own list, and is looked up all the same.
        for url in [&mut config.store_url, &mut config.socket_url] {
            *url = url.replace("127.0.0.1", "localhost");
        }
        game.app.insert_resource(config);
        let order = sword_order(&emulator);
        emulator.deliver(order);
        let start = Instant::now();
        game.track(order);
        game.wait_until_granted(order);
        game.wait_until_live();
        let took = start.elapsed();
        assert!(took < Duration::from_secs(2), "it took {took:?}");
        assert!(look_ups() >= 10, "the names still hang");
        return;
    };
    run_where_names_hang(&mut test);
}

/// The number of look-ups that are under way, by the threads of this process.
fn look_ups() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let is_one = |name: &String| name.trim() == "xsolla-dns";
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")));
    // A thread may end while this reads.
    names.filter_map(Result::ok).filter(is_one).count()
}

/// What becomes of a connection on which a request was answered, although it was said to be kept.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It is closed as soon as something more comes.
    Closes,
    /// Nothing is answered any more.
    IsSilent,
}

/// A store whose connections answer one request each. Counts those that were used again.
fn forgetful_store(end: End) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let used_again = Arc::<AtomicUsize>::default();
    let count = used_again.clone();
    let orders = Arc::new(AtomicUsize::new(1));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, count, orders) = (stream.unwrap(), count.clone(), orders.clone());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                answer(&mut reader, &stream, &orders);
                let mut more = [0];
                if matches!(reader.read(&mut more), Ok(1)) {
                    count.fetch_add(1, Ordering::Relaxed);
                    if matches!(end, End::IsSilent) {
                        let _ = std::io::copy(&mut reader, &mut std::io::sink());
                    }
                }
            });
        }
    });
    (address, used_again)
}

fn answer(reader: &mut impl BufRead, mut stream: &TcpStream, orders: &AtomicUsize) {
    let mut lines = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() <= 2 {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        lines.push(line);
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let request = lines.first().unwrap();
    let body = match request.split_once("/order/") {
        _ if request.starts_with("POST") => {
            let order = orders.fetch_add(1, Ordering::Relaxed);
            format!(r#"{{"order_id":{order},"token":"page-{order}"}}"#)
        }
        Some((_, rest)) => {
            let (order, _) = rest.split_once(' ').unwrap();
            format!(r#"{{"order_id":{order},"status":"new","content":{{"items":[]}}}}"#)
        }
        None => "{}".to_owned(),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).unwrap();
}

fn purchases_come_through(end: End) {
    let (store, used_again) = forgetful_store(end);
    let config = config_for(1, &format!("http://{store}/api"), &format!("ws://{store}/"));
    let mut config = hurried(config);
    config.open_payment_page = false;
    config.request_timeout = Duration::from_secs(2);
    let mut game = Game::logged_in(config, &XsollaUser::new("token"));
    let started = Arc::<Mutex<BTreeSet<OrderId>>>::default();
    let failed = Arc::<Mutex<Vec<String>>>::default();
    let (note_started, note_failed) = (started.clone(), failed.clone());
    game.app.add_observer(move |purchase: On<PurchaseStarted>| {
        note_started.lock().unwrap().insert(purchase.order_id);
    });
    game.app.add_observer(move |purchase: On<PurchaseFailed>| {
        note_failed.lock().unwrap().push(purchase.error.to_string());
    });
    for sku in ["sword", "shield", "torch", "potion"] {
        let before = started.lock().unwrap().len();
        game.commands(|commands| commands.purchase(sku));
        game.wait_until("the purchase is answered", |_| {
            started.lock().unwrap().len() + failed.lock().unwrap().len() > before
        });
        assert!(failed.lock().unwrap().is_empty(), "{failed:?}");
        // Its order is asked for, which leaves connections that are kept.
        game.run_for(Duration::from_millis(300));
    }
    assert_eq!(started.lock().unwrap().len(), 4);
    // Requests that only read use them, which shows that the store is what it is meant to be.
    game.wait_until("a connection is used again", |_| {
        used_again.load(Ordering::Relaxed) > 0
    });
}

#[test]
fn no_purchase_fails_on_a_kept_connection_that_the_server_has_closed() {
    purchases_come_through(End::Closes);
}

#[test]
fn no_purchase_fails_on_a_kept_connection_that_is_dead() {
    purchases_come_through(End::IsSilent);
}
