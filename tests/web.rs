//! A game in a real browser, on the emulator, with pop-ups blocked and hidden tabs slowed down as players have them.
//!
//! Needs Chromium (on the path, or named by `CHROMIUM_BIN`), the target `wasm32-unknown-unknown`, and
//! `tests/interop/setup.sh`. Without them the tests are skipped, and say so; with `BEVY_XSOLLA_REQUIRE_INTEROP=1`
//! they fail.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;
use serde_json::{Value, json};
use support::browser::{Script, chromium, script};
use support::folder::Folder;
use support::interop;
use support::wait::wait_until;

/// One browser at a time: each is a dozen processes.
static ONE: Mutex<()> = Mutex::new(());

const GAME: &str = "game";

/// How long anything in the browser may take. It shares the machine with the tests' builds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The page with the game, built for browsers; or what is missing.
fn page() -> Result<PathBuf, &'static str> {
    static PAGE: OnceLock<Result<PathBuf, &'static str>> = OnceLock::new();
    PAGE.get_or_init(|| {
        let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        let target = interop.with_file_name("../target/interop");
        let cache = std::env::var_os("INTEROP_CACHE").map_or(target, PathBuf::from);
        if !cache.join("wasm-bindgen/bin/wasm-bindgen").is_file() {
            return Err("wasm-bindgen is not installed");
        }
        let mut build = Command::new(interop.join("web.sh"));
        // This test's Cargo has set variables for its own build.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_") && text != "CARGO_HOME" {
                build.env_remove(name);
            }
        }
        let built = build.stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "the game is not built for browsers");
        let folder = String::from_utf8(built.stdout).unwrap();
        Ok(PathBuf::from(folder.trim()))
    })
    .clone()
}

/// An emulator, and a browser for the game.
struct Web {
    emulator: XsollaEmulator,
    browser: Script,
    chromium: PathBuf,
    /// The page with the game.
    page: PathBuf,
    /// Where the page is.
    origin: String,
    profile: Folder,
    /// Alice's token.
    token: String,
    _only: MutexGuard<'static, ()>,
}

impl Web {
    /// `None` where the test is to be skipped.
    fn start() -> Option<Self> {
        if env!("CARGO_MANIFEST_DIR").ends_with("bevy-0.20") {
            println!("SKIPPED: the game is built with Bevy 0.19, in the other package");
            return None;
        }
        let found = chromium().and_then(|chromium| {
            let driver = script("web.mjs", "puppeteer-core")?;
            Ok((chromium, driver, page()?))
        });
        let (chromium, driver, page) = interop::found(found)?;
        let only = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let emulator = XsollaEmulator::start();
        let mut web = Self {
            token: emulator.token("alice"),
            emulator,
            browser: Script::start(&driver),
            chromium,
            page,
            origin: String::new(),
            profile: Folder::new("web"),
            _only: only,
        };
        web.launch();
        Some(web)
    }

    fn address(&self, settings: &Value) -> String {
        let config = self.emulator.config();
        let mut all = json!({
            "project_id": config.project_id,
            "store_url": config.store_url,
            "socket_url": config.socket_url,
            "payment_url": config.payment_url,
            "sandbox_payment_url": config.sandbox_payment_url,
            "token": self.token,
        });
        let added = settings.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(added);
        let bytes = all.to_string().into_bytes();
        let encoded: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        format!("{}/index.html#{encoded}", self.origin)
    }

    /// Opens the game in a tab of this name, in place of an earlier one. `code` runs before the page's own.
    #[track_caller]
    fn open_as(&mut self, name: &str, settings: &Value, code: &str) {
        let url = self.address(settings);
        let starts = self.count_of(name, "started");
        self.browser
            .command(json!({"command": "open", "name": name, "url": url, "code": code}));
        self.wait_for_start(name, starts);
    }

    #[track_caller]
    fn open(&mut self, settings: Value) {
        self.open_as(GAME, &settings, "");
    }

    /// Starts the browser.
    #[track_caller]
    fn launch(&mut self) {
        let port = self.browser.command(json!({
            "command": "launch",
            "executable": self.chromium,
            "profile": *self.profile,
            "root": self.page,
        }));
        self.origin = format!("http://127.0.0.1:{port}");
    }

    /// Kills the browser, and starts it again.
    #[track_caller]
    fn kill(&mut self) {
        self.browser.command(json!({"command": "kill"}));
        self.launch();
    }

    /// Waits until the ledger has the game's acknowledgement of an order.
    #[track_caller]
    fn wait_until_acknowledged(&mut self, order: OrderId) {
        self.wait("the order is acknowledged", |web| {
            web.call(json!({"phase": order.0}));
            web.told("phase").last() == Some(&json!("Acknowledged"))
        });
    }

    /// How many times the game has granted an order, in all its runs.
    #[track_caller]
    fn grants(&mut self, order: OrderId) -> usize {
        let granted = self.told("granted");
        let of_order = granted.iter().filter(|told| told["order"] == order.0);
        of_order.count()
    }

    /// Waits until the game has started once more.
    #[track_caller]
    fn wait_for_start(&mut self, name: &str, before: usize) {
        self.wait("the game starts", |web| {
            web.count_of(name, "started") > before
        });
    }

    #[track_caller]
    fn wait(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            if Instant::now() > deadline {
                let told = self
                    .browser
                    .command(json!({"command": "told", "name": GAME}));
                panic!("waited in vain until {what}; the game was told {told:#}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the game was told under this name, in all its runs.
    #[track_caller]
    fn told_to(&mut self, name: &str, what: &str) -> Vec<Value> {
        let told = self
            .browser
            .command(json!({"command": "told", "name": name}));
        let told = told.as_array().unwrap();
        let panic = told.iter().find(|told| told["told"] == "panic");
        assert_eq!(panic, None);
        let matching = told.iter().filter(|told| told["told"] == what);
        matching.map(|told| told["value"].clone()).collect()
    }

    #[track_caller]
    fn told(&mut self, what: &str) -> Vec<Value> {
        self.told_to(GAME, what)
    }

    #[track_caller]
    fn count_of(&mut self, name: &str, what: &str) -> usize {
        self.told_to(name, what).len()
    }

    /// Waits until the game was told this so many times, and gives what it was told last.
    #[track_caller]
    fn wait_for(&mut self, what: &str, count: usize) -> Value {
        let sentence = format!("the game was told {what} ({count})");
        self.wait(&sentence, |web| web.told(what).len() >= count);
        self.told(what).last().unwrap().clone()
    }

    #[track_caller]
    fn wait_until_live(&mut self) {
        self.wait("the tracker is live", |web| {
            web.told("tracker").last() == Some(&json!("Live"))
        });
    }

    /// Gives the game a command, without the player's hand.
    #[track_caller]
    fn call(&mut self, command: Value) {
        let json = command.to_string();
        self.browser
            .command(json!({"command": "call", "name": GAME, "json": json}));
    }

    #[track_caller]
    fn click(&mut self, selector: &str) {
        self.browser
            .command(json!({"command": "click", "name": GAME, "selector": selector}));
    }

    #[track_caller]
    fn evaluate(&mut self, code: &str) -> Value {
        self.browser
            .command(json!({"command": "evaluate", "name": GAME, "code": code}))
    }

    /// Shows the game's tab.
    #[track_caller]
    fn show(&mut self) {
        self.browser
            .command(json!({"command": "show", "name": GAME}));
    }

    #[track_caller]
    fn protocol(&mut self, method: &str, params: Value) {
        self.browser.command(
            json!({"command": "protocol", "name": GAME, "method": method, "params": params}),
        );
    }

    fn tabs(&mut self) -> Vec<String> {
        let tabs = self.browser.command(json!({"command": "tabs"}));
        let tabs = tabs.as_array().unwrap().iter();
        tabs.map(|url| url.as_str().unwrap().to_owned()).collect()
    }

    /// Presses a button of the payment page, which is in a tab of its own.
    #[track_caller]
    fn press_in_tab(&mut self, text: &str) {
        let prefix = self.emulator.payment_page_url();
        self.browser
            .command(json!({"command": "pressInTab", "prefix": prefix, "text": text}));
    }

    #[track_caller]
    fn press_in_frame(&mut self, text: &str) {
        let prefix = self.emulator.payment_page_url();
        self.browser.command(
            json!({"command": "pressInFrame", "name": GAME, "prefix": prefix, "text": text}),
        );
    }

    /// The only order of the emulator.
    #[track_caller]
    fn order(&self) -> OrderId {
        let orders = self.emulator.orders();
        assert_eq!(orders.len(), 1, "{orders:?}");
        orders[0]
    }

    /// Waits until the game has granted the order, and sees that it was granted once.
    #[track_caller]
    fn wait_until_granted(&mut self) -> Value {
        let order = self.order();
        let granted = self.wait_for("granted", 1);
        assert_eq!(granted["order"], json!(order.0));
        assert_eq!(granted["items"], json!([["sword", 1]]));
        self.wait_until_acknowledged(order);
        assert_eq!(self.told("granted").len(), 1);
        granted
    }

    /// The frames of the game until the tab was hidden.
    #[track_caller]
    fn frames_so_far(&mut self) -> u64 {
        self.evaluate("window.frames_drawn").as_u64().unwrap()
    }

    /// Whether the game's tab shows the payment page.
    #[track_caller]
    fn is_at_page(&mut self) -> bool {
        let at = self
            .browser
            .command(json!({"command": "address", "name": GAME}));
        at.as_str()
            .unwrap()
            .starts_with(&self.emulator.payment_page_url())
    }

    /// Sees that the payment page is in a tab, and that no empty tab was left behind.
    #[track_caller]
    fn assert_page_is_in_a_tab(&mut self) {
        let tabs = self.tabs();
        let page = self.emulator.payment_page_url();
        let is_page = |url: &&String| url.starts_with(&page);
        assert_eq!(tabs.iter().filter(is_page).count(), 1, "{tabs:?}");
        assert_eq!(tabs.len(), 2, "{tabs:?}");
    }
}

#[test]
fn an_item_that_is_paid_for_in_another_tab_is_unlocked_when_the_player_returns() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({}));
    web.click("#buy");
    web.press_in_tab("Pay 30 USD");
    let order = web.order();
    let emulator = web.emulator.clone();
    wait_until("it is paid", || emulator.status(order) == OrderStatus::Done);
    assert_eq!(web.evaluate("document.visibilityState"), "hidden");
    assert_eq!(web.told("granted"), [json!(null); 0]);
    web.show();
    web.wait_until_granted();
    assert_eq!(web.told("page_failed"), [json!(null); 0]);
    // The payment page cannot reach the game.
    let opener = web.browser.command(json!({
        "command": "evaluateInTab",
        "prefix": web.emulator.payment_page_url(),
        "code": "String(window.opener)",
    }));
    assert_eq!(opener, "null");
    web.assert_page_is_in_a_tab();
}

#[test]
fn a_tab_that_the_browser_blocks_is_told_and_the_next_click_opens_the_page() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({}));
    // Nobody has clicked.
    web.call(json!({"buy": "sword"}));
    assert_eq!(web.wait_for("page_failed", 1), "Blocked");
    web.wait_for("started_purchase", 1);
    assert_eq!(web.tabs().len(), 1);
    web.click("#resume");
    web.press_in_tab("Pay 30 USD");
    web.show();
    web.wait_until_granted();
    assert_eq!(web.told("page_failed").len(), 1);
    web.assert_page_is_in_a_tab();
}

#[test]
fn the_tab_of_a_slow_store_opens_in_the_click_and_closes_if_the_purchase_fails() {
    let Some(mut web) = Web::start() else { return };
    // The browser forgets a click after five seconds.
    web.emulator.delay_requests(Duration::from_secs(7));
    web.open(json!({}));
    web.click("#buy");
    web.wait("there is an empty tab", |web| web.tabs().len() == 2);
    web.press_in_tab("Pay 30 USD");
    web.emulator.heal();
    web.show();
    web.wait_until_granted();
    web.assert_page_is_in_a_tab();
    assert_eq!(web.told("page_failed"), [json!(null); 0]);

    web.emulator.fail_requests(Fault::status(503));
    web.click("#buy");
    web.wait_for("purchase_failed", 1);
    web.wait("the empty tab is closed", |web| web.tabs().len() == 2);
    assert_eq!(web.evaluate("document.visibilityState"), "visible");
}

#[test]
fn a_tab_that_was_hidden_for_a_minute_delivers_all_in_its_first_frame() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({}));
    web.click("#buy");
    web.wait("the payment page is open", |web| web.tabs().len() == 2);
    let emulator = web.emulator.clone();
    wait_until("the socket is open", || emulator.open_sockets() == 1);
    let order = web.order();
    let frames = web.frames_so_far();
    std::thread::sleep(Duration::from_secs(60));
    emulator.pay(order);
    emulator.deliver(order);
    wait_until("the task has heard of it", || emulator.open_sockets() == 0);
    web.show();
    let granted = web.wait_until_granted();
    // One frame may have been under way when the tab was hidden.
    let frame = granted["frame"].as_u64().unwrap();
    assert!(frame <= frames + 2, "frame {frame} after {frames}");
}

#[test]
fn an_order_of_which_the_socket_tells_nothing_is_asked_for_when_the_player_returns() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({}));
    web.click("#buy");
    web.wait("the payment page is open", |web| web.tabs().len() == 2);
    let emulator = web.emulator.clone();
    wait_until("the socket is open", || emulator.open_sockets() == 1);
    let order = web.order();
    wait_until("the order was asked for", || emulator.order_requests() >= 1);
    emulator.set_status_silently(order, "done");
    web.show();
    let returned = Instant::now();
    web.wait_until_granted();
    assert!(returned.elapsed() < Duration::from_secs(10));
}

const FRAME: &str = "document.querySelector('iframe')";

#[test]
fn in_a_frame_the_player_pays_over_the_game_which_has_the_keyboard_again_afterwards() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("canvas");
    web.click("#buy");
    web.press_in_frame("Pay 30 USD");
    web.wait_until_granted();
    web.wait("the page says so", |web| {
        web.told("page").contains(&json!("Done"))
    });
    let has_keyboard = "document.activeElement.tagName";
    assert_eq!(web.evaluate(has_keyboard), "IFRAME");
    web.press_in_frame("Back to the game");
    web.wait("the frame is closed", |web| {
        web.told("page").last() == Some(&json!("Closed"))
    });
    assert_eq!(web.evaluate(FRAME), Value::Null);
    assert_eq!(web.evaluate(has_keyboard), "BUTTON");
    assert_eq!(web.tabs().len(), 1);
    assert_eq!(web.told("page_failed"), [json!(null); 0]);
}

#[test]
fn the_player_closes_the_frame_and_opens_it_again() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("canvas");
    web.call(json!({"buy": "sword"}));
    web.wait_for("started_purchase", 1);
    web.click("button[aria-label=Close]");
    assert_eq!(web.wait_for("page", 1), "Closed");
    assert_eq!(web.evaluate(FRAME), Value::Null);
    web.browser
        .command(json!({"command": "key", "name": GAME, "key": "w"}));
    assert_eq!(web.evaluate("window.keys"), json!(["w"]));
    web.call(json!({"resume": null}));
    web.press_in_frame("Pay 30 USD");
    web.wait_until_granted();
    // Whoever plays next does not see it.
    web.call(json!({"log_out": null}));
    web.wait("the frame is closed", |web| web.evaluate(FRAME).is_null());
}

#[test]
fn a_game_that_fills_the_screen_or_has_the_pointer_leaves_both_to_the_frame() {
    let Some(mut web) = Web::start() else { return };
    let held = "[document.fullscreenElement, document.pointerLockElement].map((e) => e?.tagName)";
    for (takes, has) in [
        ("target.requestPointerLock()", json!([null, "CANVAS"])),
        ("target.requestFullscreen()", json!(["CANVAS", null])),
    ] {
        web.open(json!({"page": "frame"}));
        web.evaluate(&format!(
            "document.querySelector('canvas').onclick = ({{ target }}) => {{ {takes} }}; null"
        ));
        web.click("canvas");
        web.wait("the canvas has it", |web| web.evaluate(held) == has);
        web.call(json!({"buy": "sword"}));
        web.wait("the canvas has neither", |web| {
            web.evaluate(held) == json!([null, null])
        });
        web.wait("the frame is there", |web| {
            web.evaluate(&format!("!!{FRAME}")) == true
        });
    }
}

#[test]
fn what_the_page_in_a_frame_says_is_told_and_makes_the_order_be_asked_for_and_grants_nothing() {
    let Some(mut web) = Web::start() else { return };
    // The socket tells nothing.
    web.emulator.withhold_channels(true);
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_for("started_purchase", 1);
    web.wait("the page is loaded", |web| {
        web.evaluate(&format!("{FRAME}?.src ?? ''")) != ""
    });
    let order = web.order();
    let say = |web: &mut Web, status: &str| {
        let message = json!({"command": "status", "data": {"paymentInfo": {"status": status}}});
        let prefix = web.emulator.payment_page_url();
        let code = format!("parent.postMessage('{message}', '*')");
        web.browser.command(
            json!({"command": "evaluateInFrame", "name": GAME, "prefix": prefix, "code": code}),
        );
    };
    let emulator = web.emulator.clone();
    for (status, told) in [
        ("done", "Done"),
        ("troubled", "Troubled"),
        ("invoice", "Invoice"),
    ] {
        let asked = emulator.order_requests_for(order);
        say(&mut web, status);
        web.wait("it is told", |web| {
            web.told("page").last() == Some(&json!(told))
        });
        wait_until("the order is asked for", || {
            emulator.order_requests_for(order) > asked
        });
    }
    assert_eq!(web.told("granted"), [json!(null); 0]);
    emulator.set_status_silently(order, "done");
    say(&mut web, "delivering");
    web.wait_until_granted();
}

#[test]
fn a_message_that_another_page_forges_is_not_heard() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_for("started_purchase", 1);
    web.wait("the frame is there", |web| {
        web.evaluate(&format!("!!{FRAME}")) == true
    });
    let order = web.order();
    let emulator = web.emulator.clone();
    wait_until("the order was asked for", || {
        emulator.order_requests_for(order) > 0
    });
    let asked = emulator.order_requests_for(order);
    // The game's own page, another frame beside the payment page, and another page in the payment page's frame.
    let forged = r#"{"command":"status","data":{"paymentInfo":{"status":"done"}}}"#;
    web.evaluate(&format!("window.postMessage('{forged}', '*')"));
    let origin = emulator.payment_page_url();
    web.evaluate(&format!(
        "window.dispatchEvent(new MessageEvent('message', {{
            data: '{forged}', origin: new URL('{origin}').origin, source: window }}))"
    ));
    web.evaluate(
        "const beside = document.createElement('iframe'); beside.src = 'forger.html';
        document.body.append(beside); new Promise((done) => { beside.onload = () => done(null); })",
    );
    web.evaluate(&format!(
        "{FRAME}.src = 'forger.html'; new Promise((done) => {{ {FRAME}.onload = () => done(null); }})"
    ));
    let seen = web.evaluate(
        "new Promise((done) => { addEventListener('message', ({ data }) => done(data));
            window.postMessage('last', '*'); })",
    );
    assert_eq!(seen, "last");
    web.call(json!({"frames": null}));
    web.wait_for("frames", 1);
    assert_eq!(web.told("page"), [json!(null); 0]);
    assert_eq!(web.evaluate(&format!("!!{FRAME}")), true);
    assert_eq!(emulator.order_requests_for(order), asked);
    assert_eq!(web.told("granted"), [json!(null); 0]);
}

#[test]
fn a_purchase_leaves_the_game_for_the_page_in_its_tab_which_leads_back() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "same_tab"}));
    web.click("#buy");
    web.press_in_tab("Pay 30 USD");
    assert_eq!(web.tabs().len(), 1);
    // The game was told before it was left.
    assert_eq!(web.told("started_purchase"), [json!(web.order().0)]);
    web.press_in_tab("Back to the game");
    web.wait_for_start(GAME, 1);
    web.wait_until_granted();
    let added = "location.search.match(/user_id=/g).length";
    assert_eq!(web.evaluate(added), 1);
    assert_eq!(web.tabs().len(), 1);

    // What the page has added to the address does not add up.
    web.click("#buy");
    web.press_in_tab("Back to the game");
    web.wait_for_start(GAME, 2);
    assert_eq!(web.evaluate(added), 1);

    web.click("#buy");
    web.wait("the payment page is there", |web| web.is_at_page());
    web.browser
        .command(json!({"command": "back", "name": GAME}));
    web.wait_for_start(GAME, 3);
}

#[test]
fn a_dropped_socket_is_opened_again() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame", "is_hurried": true}));
    web.click("#buy");
    web.wait_until_live();
    web.emulator.drop_sockets();
    let emulator = web.emulator.clone();
    wait_until("it is opened again", || emulator.sockets_opened() >= 2);
    let order = web.order();
    emulator.pay(order);
    emulator.deliver(order);
    web.wait_until_granted();
}

#[test]
fn what_was_paid_while_the_browser_was_offline_is_granted_soon_after_it_is_back() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_until_live();
    let is = |offline: bool| json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    web.emulator.refuse_sockets(true);
    web.protocol("Network.emulateNetworkConditions", is(true));
    web.emulator.drop_sockets();
    web.wait("requests fail", |web| {
        let states = web.told("tracker");
        let last = states.last().and_then(Value::as_str).unwrap_or_default();
        last.contains("requests: Some(Network")
    });
    let order = web.order();
    web.emulator.pay(order);
    web.emulator.deliver(order);
    web.emulator.refuse_sockets(false);
    web.protocol("Network.emulateNetworkConditions", is(false));
    let back = Instant::now();
    web.wait_until_granted();
    assert!(back.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_refused_token_is_told_once_and_a_new_one_goes_on() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame", "is_hurried": true}));
    web.click("#buy");
    web.wait_until_live();
    web.emulator.revoke_tokens("alice");
    web.emulator.close_sockets(3500, "invalid token");
    web.wait_for("authorization_required", 1);
    let order = web.order();
    web.emulator.pay(order);
    web.emulator.deliver(order);
    let token = web.emulator.token("alice");
    web.call(json!({"log_in": token}));
    web.wait_until_granted();
    assert_eq!(web.told("authorization_required").len(), 1);
}

/// Lets the store answer each request for an order with 429 and `Retry-After`, and gives the requests of some
/// seconds.
fn requests_while_there_are_too_many(exposed: bool) -> Option<u64> {
    let mut web = Web::start()?;
    web.emulator.withhold_channels(true);
    web.open(json!({"page": "frame", "is_hurried": true}));
    web.evaluate(
        "window.asked = 0; const real = window.fetch; window.fetch = (request, ...rest) => {
            if ((request.url ?? request).includes('/order/')) window.asked += 1;
            return real(request, ...rest);
        }; null",
    );
    let mut headers = json!({"retry-after": "5"});
    if exposed {
        headers["access-control-expose-headers"] = json!("Retry-After");
    }
    let body = json!({"statusCode": 429, "errorCode": 0, "errorMessage": "too many"}).to_string();
    web.browser.command(json!({
        "command": "answer", "name": GAME, "status": 429, "headers": headers, "body": body,
    }));
    web.click("#buy");
    web.wait("the order was asked for", |web| {
        web.evaluate("window.asked") != 0
    });
    web.emulator.refuse_sockets(true);
    web.emulator.drop_sockets();
    std::thread::sleep(Duration::from_secs(4));
    let asked = web.evaluate("window.asked").as_u64().unwrap();
    web.browser
        .command(json!({"command": "answer", "name": GAME, "status": null}));
    let order = web.order();
    web.emulator.pay(order);
    web.emulator.deliver(order);
    web.wait_until_granted();
    Some(asked)
}

#[test]
fn a_store_that_says_how_long_to_wait_is_left_alone_for_so_long() {
    if let Some(asked) = requests_while_there_are_too_many(true) {
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_store_whose_browser_hides_how_long_to_wait_is_asked_ever_more_slowly() {
    if let Some(asked) = requests_while_there_are_too_many(false) {
        assert!((2..=20).contains(&asked), "{asked} requests");
    }
}

#[test]
fn a_clock_that_is_set_neither_loses_an_order_nor_stops_the_game() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame", "is_hurried": true}));
    web.evaluate(
        "const real = Date.now; window.hours = 0;
        Date.now = () => real() + window.hours * 3600 * 1000; null",
    );
    web.click("#buy");
    web.wait_until_live();
    let emulator = web.emulator.clone();
    web.evaluate("window.hours = -30");
    emulator.drop_sockets();
    let opened = emulator.sockets_opened();
    wait_until("the socket is opened again", || {
        emulator.sockets_opened() > opened
    });
    web.wait_until_live();
    // The machine sleeps for an hour, so the socket is as good as lost.
    let opened = emulator.sockets_opened();
    web.evaluate("window.hours = -29");
    wait_until("the socket is opened anew", || {
        emulator.sockets_opened() > opened
    });
    assert_eq!(web.told("tracking_failed"), [json!(null); 0]);
    let order = web.order();
    emulator.pay(order);
    emulator.deliver(order);
    web.wait_until_granted();
}

#[test]
fn a_purchase_survives_the_end_of_the_tab_between_each_two_steps_and_is_granted_once() {
    let Some(mut web) = Web::start() else { return };
    let persist = "window.persisted = 0;
        navigator.storage.persist = async () => { window.persisted += 1; return true; };";
    web.open_as(GAME, &json!({}), persist);
    assert_eq!(web.evaluate("window.persisted"), 0);
    web.call(json!({"buy": "sword"}));
    web.wait_for("started_purchase", 1);
    assert_eq!(web.evaluate("window.persisted"), 1);
    let order = web.order();
    web.open(json!({}));
    web.emulator.set_status(order, "paid");
    web.open(json!({}));
    web.wait("it is paid", |web| {
        web.told("status").contains(&json!([order.0, "paid"]))
    });
    web.open(json!({"keeps": true}));
    web.emulator.deliver(order);
    web.wait_for("granted", 1);
    // The game ended before it could save what it had granted.
    web.open(json!({}));
    web.wait_for("granted", 2);
    web.wait_until_acknowledged(order);
    for _ in 0..2 {
        web.open(json!({}));
        web.call(json!({"track": order.0}));
        web.wait_until_acknowledged(order);
    }
    assert_eq!(web.grants(order), 2);
    assert_eq!(web.told("ledger").last(), Some(&json!("Kept")));
}

#[test]
fn whenever_the_browser_is_killed_no_order_is_lost_and_none_granted_again() {
    let Some(mut web) = Web::start() else { return };
    for round in 0..10 {
        web.open(json!({}));
        web.call(json!({"buy": "sword"}));
        web.wait_for("started_purchase", round + 1);
        let order = *web.emulator.orders().last().unwrap();
        let emulator = web.emulator.clone();
        let pay = move || {
            emulator.pay(order);
            emulator.deliver(order);
        };
        if round % 2 == 0 {
            pay();
        }
        std::thread::sleep(Duration::from_millis(fastrand::u64(..100)));
        web.kill();
        if round % 2 == 1 {
            pay();
        }
        web.open(json!({}));
        web.wait("the order is granted", |web| web.grants(order) > 0);
        web.wait_until_acknowledged(order);
        let grants = web.grants(order);
        web.kill();
        web.open(json!({}));
        web.call(json!({"track": order.0}));
        web.wait_until_acknowledged(order);
        assert_eq!(web.grants(order), grants, "round {round}");
    }
}

#[test]
fn the_second_tab_waits_for_the_ledger_and_is_handed_it_when_the_first_closes() {
    const SECOND: &str = "second";
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_for("started_purchase", 1);
    let order = web.order();
    web.open_as(SECOND, &json!({}), "");
    web.wait("the second tab knows that it is second", |web| {
        let ledger = web.told_to(SECOND, "ledger");
        let last = ledger.last().and_then(Value::as_str).unwrap_or_default();
        last.starts_with("Trouble(Locked")
    });
    web.browser
        .command(json!({"command": "close", "name": GAME}));
    web.wait("the second tab has the ledger", |web| {
        web.told_to(SECOND, "ledger").last() == Some(&json!("Kept"))
    });
    web.emulator.pay(order);
    web.emulator.deliver(order);
    web.wait("the second tab has granted", |web| {
        web.count_of(SECOND, "granted") == 1
    });
    assert_eq!(web.told("granted"), [json!(null); 0]);
}

/// Buys in a browser that keeps nothing, and gives the reason that the game is told.
fn purchase_without_storage(code: &str) -> Option<String> {
    let mut web = Web::start()?;
    web.open_as(GAME, &json!({"page": "frame"}), code);
    web.click("#buy");
    web.press_in_frame("Pay 30 USD");
    web.wait_for("granted", 1);
    web.wait("the trouble is told", |web| {
        let ledger = web.told("ledger");
        let last = ledger.last().and_then(Value::as_str).unwrap_or_default();
        last.starts_with("Trouble(Unavailable")
    });
    assert_eq!(web.told("granted").len(), 1);
    let reason = web.told("ledger").last().unwrap().to_string();
    Some(reason)
}

#[test]
fn a_browser_that_refuses_storage_is_told_with_its_reason_and_tracking_goes_on() {
    let none = "Object.defineProperty(window, 'indexedDB', { value: undefined })";
    let Some(reason) = purchase_without_storage(none) else {
        return;
    };
    assert!(reason.contains("no IndexedDB"), "{reason}");
    let blocked =
        "IDBFactory.prototype.open = () => { throw new DOMException('blocked', 'SecurityError'); }";
    let reason = purchase_without_storage(blocked).unwrap();
    assert!(reason.contains("SecurityError: blocked"), "{reason}");
    let full = "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }";
    let reason = purchase_without_storage(full).unwrap();
    assert!(reason.contains("QuotaExceededError: full"), "{reason}");
}

#[test]
fn a_ledger_that_is_deleted_while_the_game_runs_is_told_and_written_anew() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_for("started_purchase", 1);
    let order = web.order();
    let name = format!("bevy_xsolla.{}", web.emulator.project_id());
    web.evaluate(&format!(
        "new Promise((done) => {{ indexedDB.deleteDatabase('{name}').onsuccess = () => done(null); }})"
    ));
    web.wait("the loss is told", |web| {
        let ledger = web.told("ledger");
        let last = ledger.last().and_then(Value::as_str).unwrap_or_default();
        last.starts_with("Trouble(Lost")
    });
    web.open(json!({}));
    web.emulator.pay(order);
    web.emulator.deliver(order);
    web.wait_until_granted();
}
