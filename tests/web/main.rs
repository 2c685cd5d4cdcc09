//! A game in a real browser, on the emulator, with pop-ups blocked and hidden tabs slowed down as players have them.
//!
//! Needs Chromium, the target `wasm32-unknown-unknown` and `tests/interop/setup.sh`; `engines` needs Firefox, WebKitGTK's
//! driver and Xvfb, too. Without them the tests are skipped, and say so; with `BEVY_XSOLLA_REQUIRE_INTEROP=1` they fail.
//! (`tests/interop/README.md`)

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod engines;
mod frame;
mod ledger;
mod network;
#[path = "../support/mod.rs"]
mod support;
mod tabs;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use engines::Engine;
use serde_json::{Value, json};
use support::browser::Script;
use support::folder::Folder;
use support::interop;

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
    engine: Engine,
    executable: PathBuf,
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
    /// In Chromium. `None` where the test is to be skipped.
    fn start() -> Option<Self> {
        Self::start_in(Engine::Chromium)
    }

    fn start_in(engine: Engine) -> Option<Self> {
        if env!("CARGO_MANIFEST_DIR").ends_with("bevy-0.20") {
            println!("SKIPPED: the game is built with Bevy 0.19, in the other package");
            return None;
        }
        let found = engine.executable().and_then(|executable| {
            let script = engine.script()?;
            Ok((executable, script, page()?))
        });
        let (executable, script, page) = interop::found(found)?;
        let only = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let emulator = XsollaEmulator::start();
        let mut web = Self {
            token: emulator.token("alice"),
            emulator,
            browser: Script::start(&script),
            engine,
            executable,
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
            "engine": self.engine.name(),
            "executable": self.executable,
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
            web.phase(order) == "Acknowledged"
        });
    }

    /// What the game that runs now says of an order. What it said before does not count.
    #[track_caller]
    fn phase(&mut self, order: OrderId) -> Value {
        let before = self.count_of(GAME, "phase");
        self.call(json!({"phase": order.0}));
        self.wait_for("phase", before + 1)
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
