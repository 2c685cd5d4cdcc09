//! A server that takes Xsolla's webhooks: what it grants, what it answers, and who cannot stop it.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::webhook::{
    Notification, WebhookReceived, WebhookSenders, WebhookState, WebhookUser, XsollaWebhookPlugin,
    signature,
};
use serde_json::{Value, json};
use support::Game;
use support::folder::Folder;
use support::wait::DEADLINE;

const SECRET: &str = "PROJECT_SECRET_KEY";
const ORDER: OrderId = OrderId(59_614_241);

/// An answer: its status, and its body.
type Answer = (u16, String);

/// A server that acknowledges what it is told to grant.
struct Server {
    game: Game,
    address: SocketAddr,
}

fn plugin() -> XsollaWebhookPlugin {
    XsollaWebhookPlugin::new((Ipv4Addr::LOCALHOST, 0).into(), SECRET)
}

fn config(ledger: Ledger) -> XsollaConfig {
    let mut config = XsollaConfig::new(77_640);
    config.ledger = ledger;
    config
}

impl Server {
    fn start() -> Self {
        Self::with(plugin(), Ledger::disabled())
    }

    fn on(folder: &Folder) -> Self {
        Self::with(plugin(), Ledger::at(folder.ledger()))
    }

    fn with(plugin: XsollaWebhookPlugin, ledger: Ledger) -> Self {
        let mut server = Self::that_acknowledges_nothing(plugin, ledger);
        server.game.app.add_systems(Update, acknowledge);
        server
    }

    fn that_acknowledges_nothing(plugin: XsollaWebhookPlugin, ledger: Ledger) -> Self {
        let mut game = Game::new(config(ledger));
        game.app.add_plugins(plugin);
        let address = listening(&mut game);
        Self { game, address }
    }

    /// Sends a webhook, and lets the server's frames go by until it is answered.
    fn answer(&mut self, body: &str, headers: &str) -> Answer {
        let request = request(body, headers);
        let address = self.address;
        let client = std::thread::spawn(move || exchange(address, &request));
        self.game
            .wait_until("the webhook is answered", |_| client.is_finished());
        client.join().unwrap()
    }

    fn tell(&mut self, body: &Value) -> u16 {
        let body = body.to_string();
        self.answer(&body, &signed(&body)).0
    }

    /// Sends a webhook until it is accepted, as Xsolla does. A server whose disk takes seconds wants it again.
    #[track_caller]
    fn deliver(&mut self, body: &Value) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.tell(body) {
                500 => assert!(Instant::now() < deadline, "it is never accepted"),
                status => return assert_eq!(status, 204),
            }
        }
    }

    fn grants(&self) -> usize {
        self.game.grants(ORDER)
    }
}

fn acknowledge(mut done: MessageReader<OrderDone>, mut commands: Commands) {
    for order in done.read() {
        commands.acknowledge_order(order.order_id);
    }
}

fn listening(game: &mut Game) -> SocketAddr {
    let is_listening = |state: &WebhookState| matches!(state, WebhookState::Listening(_));
    game.wait_until("the server listens", |world| is_listening(world.resource()));
    match game.app.world().resource() {
        WebhookState::Listening(address) => *address,
        other => panic!("{other:?}"),
    }
}

fn signed(body: &str) -> String {
    format!("Authorization: Signature {}\r\n", signature(body, SECRET))
}

fn request(body: &str, headers: &str) -> String {
    format!(
        "POST /xsolla HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The server may answer, and close, before it has read all.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (status, body.to_owned())
}

fn order(kind: &str) -> Value {
    json!({
        "notification_type": kind,
        "items": [{"sku": "sword", "quantity": 2, "amount": "3.98"}],
        "order": {"id": ORDER.0, "currency": "USD", "amount": "3.98", "status": "paid", "invoice_id": "1"},
        "user": {"external_id": "alice"},
        "billing": {"settings": {"project_id": 77_640}},
    })
}

fn paid() -> Value {
    order("order_paid")
}

fn refunded() -> Value {
    order("order_canceled")
}

fn user_validation(id: &str) -> Value {
    json!({"notification_type": "user_validation", "user": {"id": id}})
}

fn is_alice(user: In<WebhookUser>) -> bool {
    user.id == "alice"
}

#[test]
fn a_paid_order_is_granted_to_a_player_who_never_logs_in_here() {
    let mut server = Server::start();
    assert_eq!(server.tell(&paid()), 204);
    let told = server.game.told();
    assert_eq!(told.done.len(), 1);
    let done = &told.done[0];
    assert_eq!(done.user, UserId::from_subject("alice"));
    assert_eq!(done.items, [OrderItem::new("sword", 2)]);
    assert_eq!(done.price.as_ref().unwrap().to_string(), "$3.98");
    assert_eq!(told.disagreements, [""; 0]);
    assert_eq!(server.game.statuses(ORDER), ["done"]);
}

#[test]
fn webhooks_that_come_again_are_answered_and_grant_nothing() {
    let folder = Folder::new("webhooks_again");
    for starts in 0..3 {
        let mut server = Server::on(&folder);
        for _ in 0..3 {
            server.deliver(&paid());
        }
        assert_eq!(server.grants(), usize::from(starts == 0));
        server.game.quit();
    }
}

#[test]
fn an_order_that_the_game_has_not_acknowledged_comes_again() {
    let folder = Folder::new("webhooks_unacknowledged");
    let ledger = || Ledger::at(folder.ledger());
    let mut server = Server::that_acknowledges_nothing(plugin(), ledger());
    assert_eq!(server.tell(&paid()), 500);
    server.game.wait_until_granted(ORDER);
    assert_eq!(server.tell(&paid()), 500);
    assert_eq!(server.grants(), 1);
    drop(server);

    let mut server = Server::on(&folder);
    server.deliver(&paid());
    assert_eq!(server.grants(), 1);
}

#[test]
fn a_ledger_that_cannot_be_written_lets_the_order_come_again_and_grants_nothing() {
    let folder = Folder::new("webhooks_no_ledger");
    // A file where a folder is needed.
    let file = folder.join("file");
    std::fs::write(&file, "").unwrap();
    let mut server = Server::with(plugin(), Ledger::at(file.join("ledger.redb")));
    assert_eq!(server.tell(&paid()), 500);
    assert_eq!(server.grants(), 0);
    server.game.wait_for_ledger_error();
    std::fs::remove_file(file).unwrap();
    server.game.wait_until("the order is granted", |world| {
        support::is_granted(world, ORDER)
    });
    assert_eq!(server.tell(&paid()), 204);
    assert_eq!(server.grants(), 1);
}

#[test]
fn a_refund_is_told_once_with_its_items() {
    let folder = Folder::new("webhooks_refund");
    let mut server = Server::on(&folder);
    server.deliver(&paid());
    server.game.quit();
    for starts in 0..2 {
        let mut server = Server::on(&folder);
        server.deliver(&refunded());
        server.deliver(&refunded());
        // A late one.
        server.deliver(&paid());
        let told = server.game.told();
        let canceled: Vec<_> = told.canceled.iter().map(|it| it.was_done).collect();
        assert_eq!(canceled, vec![true; usize::from(starts == 0)]);
        assert!(told.canceled.iter().all(|it| it.items[0].sku == "sword"));
        assert_eq!(server.grants(), 0);
        server.game.quit();
    }
}

/// The server dies and comes back, webhooks come twice and in any sequence, and some players are also followed by
/// socket.
#[test]
fn what_the_emulator_sends_is_granted_once_through_the_deaths_of_the_server() {
    const ORDERS: usize = 24;
    let emulator = XsollaEmulator::start();
    let folder = Folder::new("webhooks_emulator");
    let mut config = emulator.config();
    config.ledger = Ledger::at(folder.ledger());
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    emulator.webhooks_to(&format!("http://{address}/"), SECRET);
    emulator.duplicate_webhooks(true);
    emulator.reorder_webhooks(true);
    let users: Vec<XsollaUser> = (0..4)
        .map(|number| emulator.user(&format!("player-{number}")))
        .collect();
    let orders: Vec<(OrderId, &XsollaUser)> = (0..ORDERS)
        .map(|number| {
            let user = &users[number % users.len()];
            (emulator.create_order(user, &[("sword", 1)]), user)
        })
        .collect();

    let (mut acknowledged, mut refunds) = (Vec::new(), Vec::new());
    for life in 0..4 {
        let mut game = Game::new(config.clone());
        game.app
            .add_plugins(XsollaWebhookPlugin::new(address, SECRET))
            .add_systems(Update, acknowledge);
        assert_eq!(listening(&mut game), address);
        for (number, (order_id, user)) in orders.iter().enumerate() {
            // Every second life knows what became of all.
            if life % 2 == 1 || number % 2 == 0 {
                game.commands(|commands| commands.track_order_as(user, *order_id));
            }
            if number % 4 == life {
                emulator.pay(*order_id);
                emulator.deliver(*order_id);
            }
            game.update();
            // What was granted in an earlier life is refunded in this one.
            if number % 8 == 0 && life == 2 {
                emulator.refund(*order_id);
            }
        }
        emulator.pass_webhook_time(Duration::from_secs(3_600));
        match life {
            0 | 2 => game.run_for(Duration::from_millis(100)),
            // What is refunded later is granted by now.
            1 => game.wait_until("what was paid in the first life is granted", |world| {
                emulator.pass_webhook_time(Duration::from_secs(60));
                let mut paid = orders.iter().step_by(4);
                let is_known = |order_id| acknowledged.contains(&order_id);
                paid.all(|(order_id, _)| {
                    is_known(*order_id) || support::is_acknowledged(world, *order_id)
                })
            }),
            _ => {
                emulator.heal();
                game.wait_until(
                    "all webhooks are answered, and the game knows it",
                    |world| {
                        emulator.pass_webhook_time(Duration::from_secs(60));
                        let is_known = |order_id| {
                            acknowledged.contains(&order_id)
                                || support::is_acknowledged(world, order_id)
                        };
                        emulator.webhook_counts().pending == 0
                            && orders.iter().all(|(order_id, _)| is_known(*order_id))
                    },
                );
            }
        }
        let told = game.told();
        for done in &told.done {
            assert!(!acknowledged.contains(&done.order_id), "{done:?}");
        }
        refunds.extend(told.canceled.iter().map(|it| (it.order_id, it.was_done)));
        let world = game.app.world();
        let done = orders.iter().map(|(order_id, _)| *order_id);
        acknowledged.extend(done.filter(|order_id| support::is_acknowledged(world, *order_id)));
    }
    for (number, (order_id, _)) in orders.iter().enumerate() {
        let is_refunded = number % 8 == 0;
        assert!(acknowledged.contains(order_id), "order {number}");
        let told: Vec<bool> = refunds
            .iter()
            .filter(|(id, _)| id == order_id)
            .map(|(_, was_done)| *was_done)
            .collect();
        // A server that dies in the frame in which it is told is told again.
        assert_eq!(told.is_empty(), !is_refunded, "order {number}");
        assert!(told.iter().all(|was_done| *was_done), "order {number}");
    }
}

#[test]
fn a_payment_and_its_refund_are_told_beside_the_order_and_grant_nothing() {
    #[derive(Resource, Default)]
    struct Heard(Vec<Notification>);

    let mut server = Server::start();
    let app = &mut server.game.app;
    app.init_resource::<Heard>();
    app.add_systems(
        Update,
        |mut received: MessageReader<WebhookReceived>, mut heard: ResMut<Heard>| {
            let received = received.read().map(|it| it.notification.clone());
            heard.0.extend(received);
        },
    );
    for kind in ["payment", "refund", "something_new"] {
        let body = json!({"notification_type": kind, "transaction": {"id": 1}});
        assert_eq!(server.tell(&body), 204);
    }
    server.game.wait_until("all are heard", |world| {
        world.resource::<Heard>().0.len() == 3
    });
    let heard = &server.game.app.world().resource::<Heard>().0;
    assert!(matches!(heard[0], Notification::Payment(_)));
    assert!(matches!(heard[1], Notification::Refund { .. }));
    assert!(matches!(heard[2], Notification::Other { .. }));
    assert!(server.game.told().done.is_empty());
}

#[test]
fn the_game_says_which_players_it_has() {
    let mut server = Server::with(plugin().with_user_validation(is_alice), Ledger::disabled());
    assert_eq!(server.tell(&user_validation("alice")), 204);
    let body = user_validation("mallory").to_string();
    let (status, answer) = server.answer(&body, &signed(&body));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(status, 400);
    assert_eq!(answer["error"]["code"], "INVALID_USER");
}

#[test]
fn a_server_that_does_not_say_which_players_it_has_lets_nobody_pay() {
    let mut server = Server::start();
    assert_eq!(server.tell(&user_validation("alice")), 500);
}

#[test]
fn what_is_not_signed_is_refused_with_xsollas_json_and_grants_nothing() {
    let mut server = Server::start();
    let body = paid().to_string();
    let of_another = signed(&refunded().to_string());
    for headers in ["", &of_another, "Authorization: Bearer x\r\n"] {
        let (status, answer) = server.answer(&body, headers);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(status, 400, "{headers}");
        assert_eq!(answer["error"]["code"], "INVALID_SIGNATURE");
    }
    assert_eq!(server.grants(), 0);
}

#[test]
fn no_trouble_of_the_servers_own_is_a_refusal() {
    let mut server = Server::start();
    for body in [
        // With automatic refunds, a 4xx would give the player's money back.
        json!({"notification_type": "order_paid", "order": {"id": ORDER.0}}),
        json!({"notification_type": "order_paid", "items": [{}], "order": {"id": 1}, "user": {"external_id": "a"}}),
        json!({"surprise": true}),
    ] {
        assert_eq!(server.tell(&body), 500, "{body}");
    }
    let mut of_another_project = paid();
    of_another_project["billing"]["settings"]["project_id"] = json!(1);
    assert_eq!(server.tell(&of_another_project), 500);
    server
        .game
        .app
        .world_mut()
        .remove_resource::<XsollaConfig>();
    server.game.update();
    assert_eq!(server.tell(&paid()), 500, "without settings");
    server.game.app.insert_resource(config(Ledger::disabled()));
    server.game.update();
    assert_eq!(server.tell(&paid()), 204);
    assert_eq!(server.grants(), 1);
}

#[test]
fn what_is_no_webhook_is_turned_away_without_being_read() {
    let mut server = Server::start();
    let large = "x".repeat(1024 * 1024 + 1);
    assert_eq!(server.answer(&large, &signed(&large)).0, 413);
    let address = server.address;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            405,
        ),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(exchange(address, request).0, status, "{request}");
    }
    // A body that ends too soon.
    let mut stream = TcpStream::connect(address).unwrap();
    let whole = request(&paid().to_string(), &signed(&paid().to_string()));
    stream
        .write_all(&whole.as_bytes()[..whole.len() - 1])
        .unwrap();
    drop(stream);
    server.game.run_for(Duration::from_millis(200));
    assert_eq!(server.grants(), 0);
    assert_eq!(server.tell(&paid()), 204);
}

#[test]
fn connections_that_say_nothing_or_say_it_slowly_keep_nobody_out() {
    let mut plugin = plugin();
    plugin.max_connections = 8;
    let mut server = Server::with(plugin, Ledger::disabled());
    let mut strangers = Vec::new();
    for number in 0..60 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        if number % 3 == 0 {
            let slow = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf";
            stream.write_all(slow.as_bytes()).unwrap();
        }
        strangers.push(stream);
        if number % 20 == 19 {
            assert_eq!(server.tell(&paid()), 204);
        }
    }
    assert_eq!(server.grants(), 1);
    // All but the last were closed.
    let mut closed = 0;
    for stream in &mut strangers {
        stream
            .set_read_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        let still_open = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        let result = stream.read(&mut [0]);
        closed += usize::from(!result.is_err_and(|error| still_open.contains(&error.kind())));
    }
    assert!(closed >= strangers.len() - 8, "{closed} were closed");
}

#[test]
fn only_the_senders_that_were_named_are_answered() {
    let mut elsewhere = plugin();
    elsewhere.senders = WebhookSenders::xsolla();
    let mut server = Server::with(elsewhere, Ledger::disabled());
    // The connection is closed without a word.
    assert_eq!(server.tell(&paid()), 0);
    let mut here = plugin();
    here.senders = WebhookSenders::only(["127.0.0.0/8"]).unwrap();
    let mut server = Server::with(here, Ledger::disabled());
    assert_eq!(server.tell(&paid()), 204);
}

#[test]
fn behind_a_proxy_the_last_address_that_it_names_is_the_sender() {
    let mut proxied = plugin();
    proxied.senders = WebhookSenders::xsolla();
    proxied.trusts_proxy = true;
    let mut server = Server::with(proxied, Ledger::disabled());
    let body = paid().to_string();
    let mut from = |forwarded: &str| {
        let headers = format!("{}{forwarded}", signed(&body));
        server.answer(&body, &headers).0
    };
    assert_eq!(from(""), 500, "it comes past the proxy");
    assert_eq!(from("X-Forwarded-For: 192.0.2.1\r\n"), 500);
    // The first of them is what the sender claims.
    assert_eq!(from("X-Forwarded-For: 185.30.20.1, 192.0.2.1\r\n"), 500);
    assert_eq!(from("X-Forwarded-For: 192.0.2.1, 185.30.20.1\r\n"), 204);
    assert_eq!(
        from("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 185.30.23.9\r\n"),
        204
    );
}

#[test]
fn an_address_that_is_in_use_is_told_and_tried_again() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = other.local_addr().unwrap();
    let mut game = Game::new(config(Ledger::disabled()));
    game.app
        .add_plugins(XsollaWebhookPlugin::new(address, SECRET));
    game.wait_until("the failure is told", |world| {
        matches!(world.resource(), WebhookState::Failed(_))
    });
    drop(other);
    assert_eq!(listening(&mut game), address);
}

#[test]
fn secrets_and_addresses_are_in_no_debug_text() {
    let plugin = XsollaWebhookPlugin::new((Ipv4Addr::LOCALHOST, 0).into(), "very-secret");
    assert!(!format!("{plugin:?}").contains("very-secret"));
}
