//! The report that a player sends to support: it has what support needs, no secret, and an end.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use bevy::ecs::system::RunSystemOnce;
use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::test_util::{self, XsollaTestPlugin};
use bevy_xsolla::{
    AuthorizationError, LedgerError, RequestError, SocketError, SupportReport, TrackingError,
    support_report,
};
use support::{Game, hurried, hurried_shop, is_abandoned, sword_order};

fn report(game: &Game) -> String {
    support_report(game.app.world())
}

/// The words of the order's line.
fn line(report: &str, order_id: OrderId) -> Vec<String> {
    let id = order_id.to_string();
    let mut lines = report.lines().map(str::split_whitespace);
    let line = lines.find(|line| line.clone().next() == Some(&id));
    line.into_iter().flatten().map(str::to_owned).collect()
}

/// The first words of the order's line, after its id.
fn stands(report: &str, order_id: OrderId) -> String {
    line(report, order_id)
        .get(1..4)
        .unwrap_or_default()
        .join(" ")
}

#[derive(Resource, Default)]
struct Answers {
    started: Vec<PurchaseStarted>,
    failed: Vec<PurchaseFailed>,
}

fn note_answers(app: &mut App) {
    app.init_resource::<Answers>()
        .add_observer(
            |started: On<PurchaseStarted>, mut answers: ResMut<Answers>| {
                answers.started.push(started.clone());
            },
        )
        .add_observer(|failed: On<PurchaseFailed>, mut answers: ResMut<Answers>| {
            answers.failed.push(failed.clone());
        });
}

#[test]
fn support_reads_where_each_order_stands_and_what_xsolla_said() {
    let (emulator, mut game) = hurried_shop();
    note_answers(&mut game.app);
    let orders = [(); 4].map(|()| sword_order(&emulator));
    let [new, paid, done, canceled] = orders;
    for order in orders {
        game.track(order);
    }
    game.wait_until_live();
    emulator.pay(paid);
    emulator.deliver(done);
    emulator.cancel(canceled);
    game.wait_for_status(paid, "paid");
    game.wait_for_status(canceled, "canceled");
    game.wait_until_granted(done);
    game.acknowledge(done);
    game.wait_until_acknowledged(done);
    game.commands(|commands| commands.abandon_order(new));
    game.wait_until("it is abandoned", |world| is_abandoned(world, new));
    game.commands(|commands| commands.purchase("a thing that nobody sells"));
    game.wait_until("the store refuses", |world| {
        !world.resource::<Answers>().failed.is_empty()
    });

    let text = report(&game);
    assert!(stands(&text, new).starts_with("new Abandoned "), "{text}");
    assert!(stands(&text, paid).starts_with("paid Open "), "{text}");
    assert!(
        stands(&text, done).starts_with("done Acknowledged "),
        "{text}"
    );
    assert!(
        stands(&text, canceled).starts_with("canceled Ended "),
        "{text}"
    );
    for order in orders {
        let line = line(&text, order);
        assert!(line[3] == "Socket" || line[3] == "Request", "{line:?}");
        assert!(line[4].parse::<u64>().unwrap() < 60, "{line:?}");
    }
    // An open order is the first.
    assert!(text.find(&paid.to_string()) < text.find(&canceled.to_string()));

    let failed = game.app.world().resource::<Answers>().failed[0].clone();
    let PurchaseError::NoSuchItem(RequestError::Status { transaction_id, .. }) = failed.error
    else {
        panic!("{failed:?}")
    };
    let config = emulator.config();
    let host = config.store_url.split('/').nth(2).unwrap();
    for part in [
        &format!("bevy_xsolla {}, Bevy 0.", env!("CARGO_PKG_VERSION")),
        std::env::consts::OS,
        &format!("project {}, store {host}", config.project_id),
        &format!("player {}, ", emulator.user("alice").id()),
        "tracking: Live",
        "ledger: disabled",
        "open sockets 1, reconnects 0, polls ",
        "orders: 1 open, 3 others",
        "purchase of a thing that nobody sells: ",
        "0401-4001",
        &transaction_id.unwrap(),
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }

    // A system has the same text, but for the times in it.
    let world = game.app.world_mut();
    let by_system = world.run_system_once(|report: SupportReport| report.to_string());
    let without_times = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("GMT"));
        lines
            .map(|line| line.split(" s ago").next().unwrap().to_owned())
            .map(|line| {
                line.trim_end_matches(|c: char| c.is_ascii_digit())
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(without_times(&by_system.unwrap()), without_times(&text));
}

#[test]
fn the_version_of_bevy_is_that_of_the_manifest() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let manifest = std::fs::read_to_string(path).unwrap();
    let (_, dependency) = manifest.split_once("\nbevy = { version = \"").unwrap();
    let version = dependency.split('"').next().unwrap();
    let text = support_report(&World::new());
    let (_, told) = text.split_once(", Bevy ").unwrap();
    let told = told.split(',').next().unwrap();
    assert!(
        version.starts_with(&format!("{told}.")),
        "{told}, {version}"
    );
}

#[test]
fn whoever_is_not_logged_in_or_has_not_set_up_the_shop_reads_so() {
    let mut game = Game::bare();
    game.update();
    let text = report(&game);
    for part in [
        "no project",
        "nobody is logged in",
        "tracking: NoConfig",
        "errors: none",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    let mut config = XsollaConfig::new(77640);
    config.store_url = "https://name:geheim@shop.test/api".to_owned();
    game.app.insert_resource(config);
    game.update();
    let text = report(&game);
    assert!(text.contains("project 77640, store shop.test\n"), "{text}");
    assert!(
        text.contains("tracking: InvalidConfig: `store_url`"),
        "{text}"
    );
    assert!(!text.contains("geheim"), "{text}");
    // Xsolla's own servers are not named.
    game.app.insert_resource(XsollaConfig::new(77640));
    game.update();
    assert!(report(&game).contains("project 77640\n"));
    // Nor does a world without the plugin hinder it.
    assert!(support_report(&World::new()).contains("XsollaOrderPlugin is not added"));
}

/// A store that refuses every request, and repeats its token in all that it says.
fn repeating_store() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            thread::spawn(move || repeat_token(&stream));
        }
    });
    address
}

fn repeat_token(mut stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut token, mut length, mut line) = (String::new(), 0, String::new());
    while reader.read_line(&mut line).is_ok() && !line.trim().is_empty() {
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("authorization:") {
            token = line.trim().rsplit(' ').next().unwrap().to_owned();
        } else if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let _ = reader.read_exact(&mut vec![0; length]);
    let body = format!(
        r#"{{"statusCode":422,"errorCode":1102,"errorMessage":"[0401-1102]: alice@example.com is not {token}","transactionId":"id-{token}"}}"#
    );
    let _ = write!(
        stream,
        "HTTP/1.1 422 Unprocessable Entity\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// The text contains no part of the token, as which its signature and its claims count.
fn assert_secret(text: &str, token: &str) {
    for part in token.split('.') {
        assert!(!text.contains(part), "{part} is in {text}");
    }
    assert!(!text.contains("eyJ"), "{text}");
    assert!(!text.contains('@'), "{text}");
}

#[test]
fn no_token_is_in_it_though_servers_repeat_it() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let mut config = hurried(emulator.config());
    config.store_url = format!("http://{}/api", repeating_store());
    let mut game = Game::logged_in(config, &XsollaUser::new(&token));
    note_answers(&mut game.app);
    emulator.refuse_connect(Some((3501, &format!("this is no {token}"))));
    let order = sword_order(&emulator);
    game.track(order);
    game.commands(|commands| {
        commands.fetch_catalog();
        commands.purchase("sword");
    });
    game.wait_until("both ways are refused", |world| {
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Polling {
                reason: Some(_),
                requests: Some(_)
            }
        )
    });
    game.wait_until("the purchase and the catalogue have failed", |world| {
        let catalog = world.resource::<Catalog>();
        !world.resource::<Answers>().failed.is_empty()
            && matches!(catalog.state(), CatalogState::Failed(_))
    });
    let text = report(&game);
    assert_secret(&text, &token);
    for part in [
        "this is no [hidden] (3501)",
        "0401-1102",
        "purchase of sword: ",
        "catalogue: ",
        "[hidden] is not [hidden] (transaction id-[hidden])",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
}

#[test]
fn no_payment_pages_address_is_in_it() {
    let (emulator, mut game) = hurried_shop();
    note_answers(&mut game.app);
    game.commands(|commands| commands.purchase("sword"));
    game.wait_until("the order is made", |world| {
        !world.resource::<Answers>().started.is_empty()
    });
    let started = game.app.world().resource::<Answers>().started[0].clone();
    game.wait_for_status(started.order_id, "new");
    game.wait_until_live();
    let address = started.payment_url.unwrap();
    let (_, token) = address.split_once("token=").unwrap();
    emulator.refuse_sockets(true);
    emulator.close_sockets(4000, &format!("pay at {address}"));
    game.wait_until("the socket's end is told", |world| {
        !world.resource::<TrackerState>().is_live()
    });
    let text = report(&game);
    assert!(text.contains(&started.order_id.to_string()), "{text}");
    assert!(text.contains("pay at http://127.0.0.1:"), "{text}");
    assert!(!text.contains(token), "{text}");
}

/// A game of alice without servers.
fn alone() -> (App, String) {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let mut app = App::new();
    app.insert_resource(XsollaUser::new(&token))
        .add_plugins((MinimalPlugins, XsollaTestPlugin));
    (app, token)
}

#[test]
fn trouble_of_every_kind_is_told_with_its_time_and_without_a_secret() {
    let (mut app, token) = alone();
    let text = format!("{token} of a@b.test\n0401-1 https://pay.test/page?token=0123abc");
    let refused = RequestError::Status {
        status: 422,
        code: Some(text.clone()),
        message: Some(text.clone()),
        transaction_id: Some("a-transaction".to_owned()),
        retry_after: None,
    };
    let order = OrderId(7);
    let world = app.world_mut();
    let change =
        test_util::order_status_changed(order, None, OrderStatus::parse(token.get(..60).unwrap()));
    test_util::deliver(world, change);
    test_util::deliver(
        world,
        test_util::order_tracking_failed(order, TrackingError::Refused(refused.clone())),
    );
    test_util::deliver(
        world,
        test_util::purchase_failed("sword", PurchaseError::NotEnoughCurrency(refused.clone())),
    );
    // Whatever the store has refused, support finds its answer by the transaction.
    test_util::deliver(
        world,
        test_util::purchase_failed("sword", PurchaseError::LimitReached(refused.clone())),
    );
    test_util::deliver(
        world,
        test_util::payment_page_failed(order, PaymentPageError::NoBrowser(text.clone())),
    );
    test_util::deliver(
        world,
        test_util::authorization_required(AuthorizationError::Request(refused.clone())),
    );
    let reason = Some(SocketError::Lost(text.clone()));
    let requests = Some(refused);
    test_util::deliver(world, TrackerState::Polling { reason, requests });
    test_util::deliver(world, LedgerState::Trouble(LedgerError::Custom(text)));
    app.update();

    let report = support_report(app.world());
    assert_secret(&report, &token);
    assert!(!report.contains("0123abc"), "{report}");
    let (_, errors) = report.split_once("\nerrors, the newest first:\n").unwrap();
    // A line of the time, and a line of the text.
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 2 * 7, "{report}");
    assert!(lines.iter().step_by(2).all(|line| line.contains(" GMT (")));
    for kind in [
        "order 7 is given up: ",
        "purchase of sword: there is not enough",
        "purchase of sword: the limit of the item is reached",
        "payment page of order 7: ",
        "a new token is needed: ",
        "tracking: Polling; ",
        "ledger: ",
    ] {
        let line = lines.iter().find(|line| line.trim().starts_with(kind));
        let line = line.unwrap_or_else(|| panic!("{kind} is not in {report}"));
        assert!(line.contains("0401-1"), "{line}");
        let is_of_store = !kind.starts_with("payment") && !kind.starts_with("ledger");
        assert_eq!(line.contains("a-transaction"), is_of_store, "{line}");
    }
}

#[test]
fn a_double_click_is_no_error() {
    let (mut app, _) = alone();
    let started = test_util::purchase_started(OrderId(1), "sword");
    let repeated = PurchaseError::Repeated(started.purchase_id);
    test_util::deliver(app.world_mut(), started);
    test_util::deliver(
        app.world_mut(),
        test_util::purchase_failed("sword", repeated),
    );
    assert!(support_report(app.world()).contains("errors: none"));
}

#[test]
fn it_stays_short_with_ten_thousand_orders_and_errors_and_says_what_it_leaves_out() {
    let (mut app, _) = alone();
    let world = app.world_mut();
    for id in 1..=10_000 {
        let order = OrderId(id);
        let status = match id % 2 {
            0 => OrderStatus::Paid,
            _ => OrderStatus::Canceled,
        };
        let is_over = status.is_final();
        test_util::deliver(world, test_util::order_status_changed(order, None, status));
        if is_over {
            test_util::deliver(world, test_util::order_canceled(order, false, &[]));
        }
        let error = PurchaseError::OrderIsOver(order);
        test_util::deliver(world, test_util::purchase_failed("sword", error));
        let reason = SocketError::Lost("x".repeat(5_000));
        test_util::deliver(world, TrackerState::Reconnecting { reason });
    }
    for _ in 0..100 {
        let reason = SocketError::PingMissing;
        test_util::deliver(world, TrackerState::Reconnecting { reason });
    }
    let text = support_report(world);
    assert!(text.contains("orders: 5000 open, 5000 others"), "{text}");
    assert!(
        text.contains("not listed: 4970 open, 4980 others"),
        "{text}"
    );
    assert!(text.lines().count() < 120, "{text}");
    assert!(text.len() < 20_000, "{} bytes", text.len());
    // The newest of everything is there, though the state has changed often since.
    for part in ["\n  10000 ", "\n  9999 ", "order 10000, which is over"] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    assert!(text.contains(" s ago, of e:player\n"), "{text}");
}

#[test]
fn the_orders_of_others_are_named_as_theirs() {
    let (mut app, _) = alone();
    let mut change = test_util::order_status_changed(OrderId(1), None, OrderStatus::Paid);
    change.user = UserId::from_external_id("bob@example.com");
    test_util::deliver(app.world_mut(), change);
    let text = support_report(app.world());
    assert!(line(&text, OrderId(1)).ends_with(&["of".into(), "e:[hidden]".into()]));
    app.world_mut().remove_resource::<XsollaUser>();
    app.update();
    app.world_mut().commands().track_order(OrderId(2));
    app.update();
    let text = support_report(app.world());
    assert!(text.contains("waits for a player"), "{text}");
}
