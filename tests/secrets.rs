//! The user's token, their refresh token and the address of a payment page are in no log line at any level, the libraries' own included, and
//! in no `Debug`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

mod support;

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bevy::log::tracing;
use bevy::log::tracing::field::{Field, Visit};
use bevy::prelude::*;
use bevy_xsolla::RefreshTokenChanged;
use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::inventory::{Inventory, InventoryCommands, InventoryState, XsollaInventoryPlugin};
use bevy_xsolla::prelude::*;
use support::process::{own_process, run};
use support::{Game, hurried, sword_order};

/// Every line that was logged on the game's side. The emulator, which is in this process for the
/// test's sake, is a server and may log what it is sent.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note(line: String) {
    if thread::current().name() != Some("xsolla-emulator") {
        LINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }
}

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        note(format!("{} {}", record.target(), record.args()));
    }
    fn flush(&self) {}
}

struct Trace;

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl tracing::Subscriber for Trace {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut fields = Fields(String::new());
        span.record(&mut fields);
        note(fields.0);
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        note(fields.0);
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        note(format!("{} {}", event.metadata().target(), fields.0));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn log_everything() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    tracing::subscriber::set_global_default(Trace).unwrap();
}

#[test]
fn the_token_is_in_no_log_and_in_no_debug() {
    const NAME: &str = "the_token_is_in_no_log_and_in_no_debug";
    if let Some(mut test) = own_process(NAME) {
        return run(&mut test);
    }
    log_everything();
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let alice = XsollaUser::new(&token);
    let mut game = Game::logged_in(hurried(emulator.config()), &alice);
    game.app.add_plugins(XsollaInventoryPlugin);
    let mut seen = String::new();

    // A purchase, with trouble of every kind on the way.
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    emulator.fail_requests(Fault::status(500).times(2));
    emulator.drop_sockets();
    game.wait_until("it is back", |_| emulator.sockets_opened() > 1);
    game.wait_until_live();
    emulator.close_sockets(3501, "bad request");
    emulator.pay(order);
    game.wait_for_status(order, "paid");
    let _ = write!(seen, "{:?} {:?}", game.state(), game.orders());
    emulator.garble_requests(true);
    let requests = emulator.order_requests();
    game.wait_until("garbage was answered", |_| {
        emulator.order_requests() > requests + 1
    });
    emulator.heal();
    emulator.deliver(order);
    game.wait_until_granted(order);

    // And a token that is refused, by requests and by the socket.
    emulator.revoke_tokens("alice");
    let order = OrderId(order.0 + 1);
    game.track(order);
    game.wait_until_authorization_is_required();
    game.commands(|commands| {
        commands.fetch_inventory();
        commands.consume_item("sword", 1);
    });
    game.wait_until("the inventory is refused", |world| {
        *world.resource::<Inventory>().state() != InventoryState::Loading
    });
    let _ = write!(
        seen,
        "{alice:?} {alice:#?} {:?} {:?} {:?} {:?}",
        alice.id(),
        game.state(),
        game.told().authorization_required,
        game.app.world().resource::<Inventory>()
    );

    let lines = std::mem::take(&mut *LINES.lock().unwrap());
    assert!(lines.len() > 100, "the logs were on");
    assert!(
        lines.iter().any(|line| line.starts_with("tungstenite")),
        "those of the libraries as well"
    );
    // In plain text, as bytes in hexadecimal, and as a list of bytes.
    let signature = token.rsplit('.').next().unwrap();
    let hex: String = signature.bytes().map(|b| format!("{b:02x}")).collect();
    let list: Vec<String> = signature.bytes().map(|b| b.to_string()).collect();
    for form in [signature.to_owned(), hex, list.join(", ")] {
        assert!(!seen.contains(&form), "in Debug");
        let line = lines.iter().find(|line| line.contains(&form));
        assert!(line.is_none(), "in a log line: {}", line.unwrap());
    }
}

/// With a refresh token that is exchanged, exchanged in vain, answered with garbage, and refused.
#[test]
fn the_refresh_token_is_in_no_log_and_in_no_debug() {
    const NAME: &str = "the_refresh_token_is_in_no_log_and_in_no_debug";
    if let Some(mut test) = own_process(NAME) {
        return run(&mut test);
    }
    log_everything();
    let emulator = XsollaEmulator::start();
    emulator.set_token_lifetime(Duration::from_secs(3));
    let login = emulator
        .xsolla_login("alice")
        .with_client_secret("client-geheim");
    let first = emulator.refresh_token("alice");
    let login = login.with_refresh_token(first.clone());
    let mut seen = format!("{login:?} {first:#?}");
    let provider = TokenProvider::xsolla_login(login);
    let _ = write!(seen, "{provider:?}");

    #[derive(Resource, Default)]
    struct Keychain(Vec<RefreshTokenChanged>, Vec<LoginRequired>);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, provider))
        .insert_resource(hurried(emulator.config()))
        .init_resource::<Keychain>()
        .add_observer(
            |changed: On<RefreshTokenChanged>, mut keys: ResMut<Keychain>| {
                keys.0.push(changed.clone());
            },
        )
        .add_observer(|required: On<LoginRequired>, mut keys: ResMut<Keychain>| {
            keys.1.push(required.clone());
        });
    let mut game = Game::of(app);
    emulator.fail_requests(Fault::status(503).times(1));
    game.track(sword_order(&emulator));
    game.wait_until("a refresh token is kept", |world| {
        !world.resource::<Keychain>().0.is_empty()
    });
    // The refresh token is used up, and the next one is lost.
    emulator.garble_requests(true);
    let requests = emulator.token_requests();
    game.wait_until("garbage was answered", |_| {
        emulator.token_requests() > requests + 1
    });
    emulator.heal();
    game.wait_until("a log-in is required", |world| {
        !world.resource::<Keychain>().1.is_empty()
    });
    let keys = game.app.world().resource::<Keychain>();
    let report = bevy_xsolla::support_report(game.app.world());
    let _ = write!(seen, "{:?} {:?} {report}", keys.0, keys.1);
    let lines = std::mem::take(&mut *LINES.lock().unwrap());
    assert!(lines.len() > 100, "the logs were on");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("TokenProvider gives no token")),
        "those of the provider as well"
    );
    let mut secrets = vec![first.secret().to_owned(), "client-geheim".to_owned()];
    let changed = keys.0.iter();
    secrets.extend(changed.map(|changed| changed.refresh_token.secret().to_owned()));
    for secret in secrets {
        assert!(!seen.contains(&secret), "in Debug, or in the report");
        let line = lines.iter().find(|line| line.contains(&secret));
        assert!(line.is_none(), "in a log line: {}", line.unwrap());
    }
}

/// A program that writes the address that it is to open into a file, or fails.
#[cfg(unix)]
fn browser(path: &std::path::Path, works: bool) {
    use std::os::unix::fs::PermissionsExt;

    let script = match works {
        true => {
            "#!/bin/sh\necho \"$1\" >\"$TEST_OPENED.part\" && mv \"$TEST_OPENED.part\" \"$TEST_OPENED\"\n"
        }
        false => "#!/bin/sh\nexit 3\n",
    };
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// With the browser that the player has chosen, with the system's, with one that fails, and with none.
#[cfg(unix)]
#[test]
fn the_payment_pages_address_is_in_no_log_however_it_is_opened() {
    const NAME: &str = "the_payment_pages_address_is_in_no_log_however_it_is_opened";
    let Some(_) = own_process(NAME) else {
        return buy_with_logs();
    };
    let path = std::env::var("PATH").unwrap();
    for (chosen, system) in [
        (Some(true), None),
        (None, Some(true)),
        (None, Some(false)),
        (None, None),
    ] {
        let folder = support::folder::Folder::new("browser");
        let opened = folder.join("opened");
        let mut test = own_process(NAME).unwrap();
        test.env("TEST_OPENED", &opened).env_remove("BROWSER");
        if let Some(works) = chosen {
            browser(&folder.join("browser"), works);
            test.env("BROWSER", folder.join("browser"));
        }
        let programs = folder.join("programs");
        std::fs::create_dir(&programs).unwrap();
        for tool in ["sh", "mv"] {
            let tools = path.split(':').map(|place| format!("{place}/{tool}"));
            let found = tools
                .into_iter()
                .find(|tool| std::fs::exists(tool).unwrap());
            std::os::unix::fs::symlink(found.unwrap(), programs.join(tool)).unwrap();
        }
        if let Some(works) = system {
            browser(&programs.join("xdg-open"), works);
        }
        test.env("PATH", programs);
        let is_opened = chosen == Some(true) || system == Some(true);
        test.env("TEST_IS_OPENED", is_opened.to_string());
        run(&mut test);
    }
}

#[cfg(unix)]
fn buy_with_logs() {
    #[derive(Resource, Default)]
    struct Page {
        address: Option<String>,
        failure: Option<String>,
    }

    log_everything();
    let emulator = XsollaEmulator::start();
    let mut config = emulator.config();
    config.open_payment_page = true;
    let mut game = Game::logged_in(config, &emulator.user("alice"));
    game.app.init_resource::<Page>();
    game.app
        .add_observer(|started: On<PurchaseStarted>, mut page: ResMut<Page>| {
            page.address = started.payment_url.clone();
        });
    game.app
        .add_observer(|failed: On<PaymentPageFailed>, mut page: ResMut<Page>| {
            page.failure = Some(format!("{} {:?}", failed.error, *failed));
        });
    game.commands(|commands| commands.purchase("sword"));
    game.wait_until("the order is there", |world| {
        world.resource::<Page>().address.is_some()
    });
    let address = game.app.world().resource::<Page>().address.clone().unwrap();
    let (_, token) = address.split_once("token=").unwrap();
    if std::env::var("TEST_IS_OPENED").unwrap() == "true" {
        let opened = std::env::var("TEST_OPENED").unwrap();
        game.wait_until("the page is opened", |_| std::fs::exists(&opened).unwrap());
        assert_eq!(std::fs::read_to_string(&opened).unwrap().trim(), address);
    } else {
        game.wait_until("the failure is told", |world| {
            world.resource::<Page>().failure.is_some()
        });
        let failure = game.app.world().resource::<Page>().failure.clone().unwrap();
        assert!(!failure.contains(token), "{failure}");
    }
    let lines = std::mem::take(&mut *LINES.lock().unwrap());
    assert!(!lines.is_empty(), "the logs were on");
    let line = lines.iter().find(|line| line.contains(token));
    assert!(line.is_none(), "in a log line: {}", line.unwrap());
}
