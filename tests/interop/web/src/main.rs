//! A game for a browser, without a picture. `tests/web` tells it what to do, and reads what it was told in the
//! browser's console, one JSON object a line.
//!
//! Its settings are JSON in the address, after `#`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bevy::diagnostic::FrameCount;
use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

thread_local! {
    /// What the page and the test want, for the next frame.
    static COMMANDS: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

/// Takes a command in JSON. The page calls it in the player's click.
#[wasm_bindgen]
pub fn command(json: &str) {
    let command = serde_json::from_str(json).unwrap();
    COMMANDS.with_borrow_mut(|commands| commands.push(command));
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    fn console_log(text: &str);
    #[wasm_bindgen(js_name = setFramesDrawn)]
    fn set_frames_drawn(count: u32);
    #[wasm_bindgen(js_name = requestAnimationFrame)]
    fn request_animation_frame(callback: &JsValue) -> f64;
}

fn tell(what: &str, value: Value) {
    console_log(&json!({"told": what, "value": value}).to_string());
}

/// The order that was started last.
#[derive(Default, Resource)]
struct LastOrder(Option<OrderId>);

#[derive(Resource)]
struct Settings(Value);

fn main() {
    std::panic::set_hook(Box::new(|panic| tell("panic", json!(panic.to_string()))));
    log::set_logger(&ConsoleLogger).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let settings = settings();
    let text = |name: &str| settings[name].as_str().unwrap_or_default().to_owned();
    let mut config = XsollaConfig::new(settings["project_id"].as_u64().unwrap_or_default());
    config.store_url = text("store_url");
    config.socket_url = text("socket_url");
    config.payment_url = text("payment_url");
    config.sandbox_payment_url = text("sandbox_payment_url");
    config.payment_page = match settings["page"].as_str() {
        Some("same_tab") => PaymentPage::SameTab,
        Some("frame") => PaymentPage::Frame,
        _ => PaymentPage::NewTab,
    };
    if settings["forgets"] == true {
        config.ledger = Ledger::disabled();
    }
    if settings["is_hurried"] == true {
        config.socket_grace = Duration::from_millis(400);
        config.poll_interval = Duration::from_millis(300);
        config.retry_min = Duration::from_millis(50);
        config.retry_max = Duration::from_millis(500);
    }
    App::new()
        .add_plugins((MinimalPlugins, XsollaOrderPlugin))
        .insert_resource(config)
        .insert_resource(XsollaUser::new(text("token")))
        .insert_resource(Settings(settings))
        .init_resource::<LastOrder>()
        .add_systems(Update, (obey, tell_messages, tell_states, grant))
        .set_runner(run_with_the_page)
        .run();
}

fn settings() -> Value {
    let hash = web_sys::window().unwrap().location().hash().unwrap();
    let json = js_sys::decode_uri_component(hash.trim_start_matches('#')).unwrap();
    serde_json::from_str(&String::from(json)).unwrap()
}

/// Runs a frame whenever the browser draws one, as winit does: none while the tab is hidden.
fn run_with_the_page(mut app: App) -> AppExit {
    app.finish();
    app.cleanup();
    type Frame = Closure<dyn FnMut()>;
    let frame: Rc<RefCell<Option<Frame>>> = Rc::default();
    let next = frame.clone();
    *frame.borrow_mut() = Some(Closure::new(move || {
        app.update();
        set_frames_drawn(app.world().resource::<FrameCount>().0);
        request_animation_frame(next.borrow().as_ref().unwrap().as_ref());
    }));
    request_animation_frame(frame.borrow().as_ref().unwrap().as_ref());
    tell("started", Value::Null);
    AppExit::Success
}

fn obey(
    mut commands: Commands,
    last: Res<LastOrder>,
    orders: Res<Orders>,
    frames: Res<FrameCount>,
) {
    for command in COMMANDS.take() {
        let order = |name: &str| {
            let id = command[name].as_u64().map(OrderId);
            id.or(last.0).unwrap()
        };
        let (name, value) = command.as_object().unwrap().iter().next().unwrap();
        match name.as_str() {
            "buy" => drop(commands.purchase(value.as_str().unwrap())),
            "buy_in_sandbox" => {
                let purchase = Purchase::item(value.as_str().unwrap()).sandbox(true);
                commands.purchase(purchase);
            }
            "track" => commands.track_order(order("track")),
            "resume" => commands.resume_payment(order("resume")),
            "abandon" => commands.abandon_order(order("abandon")),
            "log_in" => commands.insert_resource(XsollaUser::new(value.as_str().unwrap())),
            "log_out" => commands.remove_resource::<XsollaUser>(),
            "frames" => tell("frames", json!(frames.0)),
            "phase" => {
                let phase = orders
                    .get(order("phase"))
                    .map(|order| format!("{:?}", order.phase));
                tell("phase", json!(phase));
            }
            other => panic!("there is no command {other}"),
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "it reads every kind of message")]
fn tell_messages(
    mut statuses: MessageReader<OrderStatusChanged>,
    mut started: MessageReader<PurchaseStarted>,
    mut failed: MessageReader<PurchaseFailed>,
    mut pages: MessageReader<PaymentPageFailed>,
    mut page_news: MessageReader<PaymentPageChanged>,
    mut ended: MessageReader<OrderTrackingFailed>,
    mut canceled: MessageReader<OrderCanceled>,
    mut authorization: MessageReader<AuthorizationRequired>,
    mut last: ResMut<LastOrder>,
) {
    for message in started.read() {
        last.0 = Some(message.order_id);
        tell("started_purchase", json!(message.order_id.0));
    }
    for message in failed.read() {
        tell("purchase_failed", json!(format!("{:?}", message.error)));
    }
    for message in pages.read() {
        tell("page_failed", json!(format!("{:?}", message.error)));
    }
    for message in page_news.read() {
        tell("page", json!(format!("{:?}", message.status)));
    }
    for message in statuses.read() {
        tell(
            "status",
            json!([message.order_id.0, message.status.to_string()]),
        );
    }
    for message in ended.read() {
        tell("tracking_failed", json!(message.order_id.0));
    }
    for message in canceled.read() {
        tell("canceled", json!([message.order_id.0, message.was_done]));
    }
    for message in authorization.read() {
        tell(
            "authorization_required",
            json!(format!("{:?}", message.error)),
        );
    }
}

fn tell_states(tracker: Res<TrackerState>, ledger: Res<LedgerState>) {
    if tracker.is_changed() {
        tell("tracker", json!(format!("{:?}", *tracker)));
    }
    if ledger.is_changed() {
        tell("ledger", json!(format!("{:?}", *ledger)));
    }
}

/// Unlocks what was bought. A test that wants it does not acknowledge.
fn grant(
    mut done: MessageReader<OrderDone>,
    mut commands: Commands,
    settings: Res<Settings>,
    frames: Res<FrameCount>,
) {
    for order in done.read() {
        let items: Vec<_> = order
            .items
            .iter()
            .map(|item| (&item.sku, item.quantity))
            .collect();
        tell(
            "granted",
            json!({"order": order.order_id.0, "items": items, "frame": frames.0}),
        );
        if settings.0["keeps"] != true {
            commands.acknowledge_order(order.order_id);
        }
    }
}

struct ConsoleLogger;

impl log::Log for ConsoleLogger {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.level() <= log::Level::Debug || metadata.target().starts_with("bevy_xsolla")
    }

    fn log(&self, record: &log::Record) {
        if self.enabled(record.metadata()) {
            let text = format!("{} {}: {}", record.level(), record.target(), record.args());
            tell("log", json!(text));
        }
    }

    fn flush(&self) {}
}
