//! Helpers to unit-test a game's own systems without any server (feature `test_util`).
//!
//! [`XsollaTestPlugin`] replaces [`XsollaOrderPlugin`](crate::XsollaOrderPlugin). It adds the same resources,
//! messages and commands, but no thread, no connection and no file. The functions of this module make the
//! messages that the plugin would send, and [`deliver`] handles them as the plugin does: it updates the
//! resources, triggers the event and sends the message.
//!
//! ```toml
//! [dev-dependencies]
//! bevy_xsolla = { version = "0.1", features = ["test_util"] }
//! ```
//!
//! ```
//! use bevy::prelude::*;
//! use bevy_xsolla::prelude::*;
//! use bevy_xsolla::test_util::{self, XsollaTestPlugin};
//!
//! // This is code of the game.
//! #[derive(Resource, Default)]
//! struct Swords(u64);
//!
//! fn unlock_items(mut done: MessageReader<OrderDone>, mut swords: ResMut<Swords>, mut commands: Commands) {
//!     for order in done.read() {
//!         let of_swords = order.items.iter().filter(|item| item.sku == "sword");
//!         swords.0 += of_swords.map(|item| item.quantity).sum::<u64>();
//!         commands.acknowledge_order(order.order_id);
//!     }
//! }
//!
//! // This is the test.
//! let mut app = App::new();
//! app.add_plugins((MinimalPlugins, XsollaTestPlugin))
//!     .init_resource::<Swords>()
//!     .add_systems(Update, unlock_items);
//! let order = OrderId(1);
//! test_util::deliver(app.world_mut(), test_util::order_done(order, &[("sword", 2)]));
//! app.update();
//! assert_eq!(app.world().resource::<Swords>().0, 2);
//!
//! app.update(); // The acknowledgement takes effect.
//! let orders = app.world().resource::<Orders>();
//! assert!(orders.get(order).is_some_and(|order| order.phase.is_acknowledged()));
//! ```
//!
//! The messages have values in the fields that a system is likely to read. The other fields are public, so a
//! test can set them. To test against the protocols themselves, with faults on the way, use the feature
//! `emulator`.

use std::sync::{Mutex, PoisonError};

use bevy::prelude::*;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::game::commands::with_tracking;
use crate::game::deliver::{deliver as deliver_now, send};
use crate::game::inventory::{self, Outcome};
use crate::game::orders::{Order, Orders};
use crate::game::plugin::{XsollaOrderSystems, add_game_side, add_tracking};
use crate::game::resources::resource_or_default;
use crate::game::tracking::Tracking;
use crate::machine::input::Input;
use crate::machine::output::Notice;
use crate::model::catalog::{CatalogItem, ItemKind};
use crate::model::config::XsollaConfig;
use crate::model::error::{AuthorizationError, TrackingError};
use crate::model::inventory::{
    ConsumeError, ConsumeFailed, ConsumptionId, InventoryError, InventoryItem, InventoryItemKind,
    ItemConsumed,
};
use crate::model::ledger::LedgerState;
use crate::model::login::{RefreshToken, RefreshTokenChanged};
use crate::model::message::{
    AuthorizationRequired, NewsSource, OrderCanceled, OrderDiscovered, OrderDone, OrderExpired,
    OrderStatusChanged, OrderTrackingFailed,
};
use crate::model::order::{OrderId, OrderItem, OrderPhase, OrderStatus};
use crate::model::page::{PaymentPageChanged, PaymentPageStatus};
use crate::model::purchase::{
    PaymentPageError, PaymentPageFailed, Purchase, PurchaseError, PurchaseFailed, PurchaseId,
    PurchaseStarted,
};
use crate::model::renewal::{LoginRequired, TokenFailure};
use crate::model::state::TrackerState;
use crate::model::user::{UserId, XsollaUser};
use crate::platform::time::calendar;
use crate::tracker::handle::{Command, channels};
use crate::tracker::services::Start;

/// Replaces [`XsollaOrderPlugin`](crate::XsollaOrderPlugin) in unit tests. Nothing runs in the background,
/// and nothing happens until the test [delivers](deliver) it.
///
/// If the app has no [`XsollaConfig`] or [`XsollaUser`], the plugin adds one. The user is
/// [`player("player")`](player). An acknowledgement takes effect in the next frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct XsollaTestPlugin;

impl Plugin for XsollaTestPlugin {
    fn build(&self, app: &mut App) {
        if app.world().contains_resource::<Tracking>() {
            log::error!("XsollaTestPlugin takes the place of XsollaOrderPlugin, which is there");
            return;
        }
        add_game_side(app);
        // Those of a `TokenProvider`, which a test does not need.
        app.add_message::<LoginRequired>()
            .add_message::<RefreshTokenChanged>();
        if !app.world().contains_resource::<XsollaConfig>() {
            app.insert_resource(XsollaConfig::new(1));
        }
        if !app.world().contains_resource::<XsollaUser>() {
            app.insert_resource(anybody());
        }
        let (handle, ports) = channels();
        add_tracking(app, Tracking::new(handle, None));
        app.insert_resource(Asked {
            commands: ports.commands,
            started: Mutex::default(),
        })
        .add_systems(PreUpdate, answer.before(XsollaOrderSystems));
        with_tracking(app.world_mut(), |_, _| {});
    }
}

/// The commands of the game, which a background task would read.
#[derive(Resource)]
struct Asked {
    commands: UnboundedReceiver<Command>,
    /// The work that never begins. Dropping it would be an answer.
    started: Mutex<Vec<Start>>,
}

fn answer(mut asked: ResMut<Asked>, mut tracking: ResMut<Tracking>, orders: Option<Res<Orders>>) {
    while let Ok(command) = asked.commands.try_recv() {
        let input = match command {
            Command::Input(input) => input,
            Command::Start(start) => {
                let started = asked.started.get_mut();
                started.unwrap_or_else(PoisonError::into_inner).push(start);
                continue;
            }
            Command::Flush(_) => continue,
        };
        let (order_id, phase) = match *input {
            Input::Acknowledge(order_id) => (order_id, OrderPhase::Acknowledged),
            Input::Abandon(order_id) => (order_id, OrderPhase::Abandoned),
            _ => continue,
        };
        let order = orders.as_ref().and_then(|orders| orders.get(order_id));
        let user = order.and_then(|order| order.user.clone());
        tracking.fence.release(Notice::Phase {
            order_id,
            user: user.unwrap_or_else(|| anybody().id().clone()),
            phase,
        });
    }
}

/// News for the game: any of the plugin's messages, a [`TrackerState`], a [`LedgerState`], a list of `CatalogItem`s, or
/// what came of fetching the [`Inventory`](crate::inventory::Inventory).
#[derive(Debug)]
pub struct News(Content);

#[derive(Debug)]
enum Content {
    Notice(Notice),
    Consumption(Outcome),
    Inventory(Result<Vec<InventoryItem>, InventoryError>),
    LoginRequired(LoginRequired),
    RefreshTokenChanged(RefreshTokenChanged),
}

/// Delivers news as the plugin does: it updates [`Orders`], [`TrackerState`], [`LedgerState`], the `Catalog` or the
/// `Inventory`, triggers the event and sends the message.
///
/// As with real servers, an [`OrderStatusChanged`] precedes the end of an order that had another status.
///
/// Observers run at once; systems that read messages run in the next [`App::update`]. Without the
/// [`XsollaTestPlugin`] nothing is delivered, and an error is logged.
pub fn deliver(world: &mut World, news: impl Into<News>) {
    if !world.contains_resource::<Asked>() {
        log::error!("nothing can be delivered: XsollaTestPlugin is not added");
        return;
    }
    let notice = match news.into().0 {
        Content::Notice(notice) => notice,
        Content::Consumption(outcome) => return inventory::tell(world, outcome),
        Content::Inventory(answer) => return inventory::show(world, answer),
        Content::LoginRequired(required) => return send(world, required),
        Content::RefreshTokenChanged(changed) => return send(world, changed),
    };
    match &notice {
        Notice::State(state) => {
            return with_tracking(world, |_, tracking| {
                tracking.history.note(&notice, calendar());
                tracking.state = state.clone();
            });
        }
        Notice::Done(done) => {
            let details = Notice::Details {
                order_id: done.order_id,
                user: done.user.clone(),
                items: done.items.clone(),
                price: done.price.clone(),
            };
            deliver_notice(world, details);
            change_status(world, done.order_id, &done.user, OrderStatus::Done);
        }
        Notice::Canceled(canceled) => {
            change_status(
                world,
                canceled.order_id,
                &canceled.user,
                OrderStatus::Canceled,
            );
        }
        Notice::Expired(expired) => {
            change_status(world, expired.order_id, &expired.user, OrderStatus::Expired);
        }
        _ => {}
    }
    deliver_notice(world, notice);
}

fn deliver_notice(world: &mut World, notice: Notice) {
    let history = &mut world.resource_mut::<Tracking>().history;
    history.note(&notice, calendar());
    deliver_now(world, notice);
}

fn change_status(world: &mut World, order_id: OrderId, user: &UserId, status: OrderStatus) {
    let orders = resource_or_default::<Orders>(world);
    let known = orders
        .get(order_id)
        .filter(|order| order.source.is_some())
        .map(|order| order.status.clone());
    if known.as_ref() != Some(&status) {
        let mut change = order_status_changed(order_id, known, status);
        change.user = user.clone();
        deliver_notice(world, Notice::StatusChanged(change));
    }
}

/// Makes a player. The same name gives the same player, and no server accepts their token.
pub fn player(name: &str) -> XsollaUser {
    XsollaUser::new(name).with_external_id(name)
}

fn anybody() -> XsollaUser {
    player("player")
}

fn order_items(items: &[(&str, u64)]) -> Vec<OrderItem> {
    let items = items.iter();
    items
        .map(|(sku, quantity)| OrderItem::new(*sku, *quantity))
        .collect()
}

/// Makes an order of [`player("player")`](player) as [`Orders`] would hold it, for functions that take one.
/// It is followed unless its status is final, granted if it is [`Done`](OrderStatus::Done), and not
/// acknowledged.
pub fn order(order_id: OrderId, status: OrderStatus, items: &[(&str, u64)]) -> Order {
    let mut order = Order::new(order_id);
    order.user = Some(anybody().id().clone());
    order.source = Some(NewsSource::Socket);
    order.items = Some(order_items(items));
    order.phase = match status {
        OrderStatus::Done => OrderPhase::Granted,
        OrderStatus::Canceled | OrderStatus::Expired => OrderPhase::Ended,
        OrderStatus::New | OrderStatus::Paid | OrderStatus::Other(_) => OrderPhase::Open,
    };
    order.status = status;
    order
}

/// Makes the message for a changed status. `previous` is `None` for the first news of an order.
pub fn order_status_changed(
    order_id: OrderId,
    previous: Option<OrderStatus>,
    status: OrderStatus,
) -> OrderStatusChanged {
    OrderStatusChanged {
        order_id,
        user: anybody().id().clone(),
        previous,
        status,
        source: NewsSource::Socket,
    }
}

/// Makes the message for a paid and delivered order without a price. `items` are SKUs with their quantities.
pub fn order_done(order_id: OrderId, items: &[(&str, u64)]) -> OrderDone {
    OrderDone {
        order_id,
        user: anybody().id().clone(),
        items: order_items(items),
        price: None,
    }
}

/// Makes the message for a canceled order, or for a refunded one if it `was_done`.
pub fn order_canceled(order_id: OrderId, was_done: bool, items: &[(&str, u64)]) -> OrderCanceled {
    OrderCanceled {
        order_id,
        user: anybody().id().clone(),
        was_done,
        items: order_items(items),
    }
}

/// Makes the message for an order whose time to pay has passed.
pub fn order_expired(order_id: OrderId) -> OrderExpired {
    OrderExpired {
        order_id,
        user: anybody().id().clone(),
    }
}

/// Makes the message for an order that was given up.
pub fn order_tracking_failed(order_id: OrderId, error: TrackingError) -> OrderTrackingFailed {
    OrderTrackingFailed {
        order_id,
        user: anybody().id().clone(),
        error,
    }
}

/// Makes the message for an order that was made elsewhere.
pub fn order_discovered(order_id: OrderId, status: OrderStatus) -> OrderDiscovered {
    OrderDiscovered {
        order_id,
        user: anybody().id().clone(),
        status,
    }
}

/// Makes the message that the player needs a new token.
pub fn authorization_required(error: AuthorizationError) -> AuthorizationRequired {
    AuthorizationRequired {
        user: anybody().id().clone(),
        error,
    }
}

/// Makes the message that the player has to log in.
pub fn login_required(failure: TokenFailure) -> LoginRequired {
    LoginRequired {
        user: Some(anybody().id().clone()),
        failure,
    }
}

/// Makes the message that Xsolla Login has given this refresh token.
pub fn refresh_token_changed(secret: &str) -> RefreshTokenChanged {
    RefreshTokenChanged {
        user: anybody().id().clone(),
        refresh_token: RefreshToken::new(secret),
    }
}

/// Makes the message for a purchase whose order was created, without a payment page.
pub fn purchase_started(order_id: OrderId, purchase: impl Into<Purchase>) -> PurchaseStarted {
    PurchaseStarted {
        purchase_id: PurchaseId::next(),
        order_id,
        user: anybody().id().clone(),
        purchase: purchase.into(),
        payment_url: None,
    }
}

/// Makes the message for a purchase that led to no order.
pub fn purchase_failed(purchase: impl Into<Purchase>, error: PurchaseError) -> PurchaseFailed {
    let purchase = purchase.into();
    PurchaseFailed {
        purchase_id: PurchaseId::next(),
        user: Some(anybody().id().clone()),
        sku: purchase.sku().to_owned(),
        purchase,
        error,
    }
}

/// Makes the message for a payment page that could not be opened.
pub fn payment_page_failed(order_id: OrderId, error: PaymentPageError) -> PaymentPageFailed {
    PaymentPageFailed {
        order_id,
        user: Some(anybody().id().clone()),
        error,
    }
}

/// Makes the message for what a payment page in a frame has told.
pub fn payment_page_changed(order_id: OrderId, status: PaymentPageStatus) -> PaymentPageChanged {
    PaymentPageChanged {
        order_id,
        user: anybody().id().clone(),
        status,
    }
}

/// Makes an item of the catalogue without a price.
pub fn catalog_item(sku: &str, name: &str) -> CatalogItem {
    CatalogItem {
        sku: sku.to_owned(),
        name: name.to_owned(),
        description: None,
        image_url: None,
        kind: ItemKind::VirtualItem,
        item_type: None,
        virtual_item_type: None,
        usages_count: None,
        expiration: None,
        is_free: false,
        can_be_bought: true,
        price: None,
        virtual_prices: Vec::new(),
        contents: Vec::new(),
        contents_price: None,
        limit_per_user: None,
        limit_per_item: None,
        promotions: Vec::new(),
        groups: Vec::new(),
        attributes: Vec::new(),
    }
}

/// Makes the message for an item that was used up, with nothing of it left.
pub fn item_consumed(sku: &str, quantity: u64) -> ItemConsumed {
    ItemConsumed {
        consumption_id: ConsumptionId::next(),
        user: anybody().id().clone(),
        sku: sku.to_owned(),
        quantity,
        left: 0,
    }
}

/// Makes the message for an item that was not used up.
pub fn consume_failed(sku: &str, quantity: u64, error: ConsumeError) -> ConsumeFailed {
    ConsumeFailed {
        consumption_id: ConsumptionId::next(),
        user: Some(anybody().id().clone()),
        sku: sku.to_owned(),
        quantity,
        error,
    }
}

/// Makes an entry of the inventory. A consumable has a quantity, and what is not counted has none.
pub fn inventory_item(sku: &str, name: &str, quantity: Option<u64>) -> InventoryItem {
    InventoryItem {
        sku: sku.to_owned(),
        name: name.to_owned(),
        description: None,
        image_url: None,
        kind: match quantity {
            Some(_) => InventoryItemKind::Consumable,
            None => InventoryItemKind::NonConsumable,
        },
        quantity,
        remaining_uses: None,
        instance_id: None,
        subscription: None,
        groups: Vec::new(),
        attributes: Vec::new(),
    }
}

impl From<ItemConsumed> for News {
    fn from(news: ItemConsumed) -> Self {
        Self(Content::Consumption(Outcome::Consumed(news)))
    }
}

impl From<ConsumeFailed> for News {
    fn from(news: ConsumeFailed) -> Self {
        Self(Content::Consumption(Outcome::Failed(news)))
    }
}

impl From<Vec<InventoryItem>> for News {
    fn from(news: Vec<InventoryItem>) -> Self {
        Self(Content::Inventory(Ok(news)))
    }
}

impl From<InventoryError> for News {
    fn from(news: InventoryError) -> Self {
        Self(Content::Inventory(Err(news)))
    }
}

impl From<OrderStatusChanged> for News {
    fn from(news: OrderStatusChanged) -> Self {
        Self(Content::Notice(Notice::StatusChanged(news)))
    }
}

impl From<OrderDone> for News {
    fn from(news: OrderDone) -> Self {
        Self(Content::Notice(Notice::Done(news)))
    }
}

impl From<OrderCanceled> for News {
    fn from(news: OrderCanceled) -> Self {
        Self(Content::Notice(Notice::Canceled(news)))
    }
}

impl From<OrderExpired> for News {
    fn from(news: OrderExpired) -> Self {
        Self(Content::Notice(Notice::Expired(news)))
    }
}

impl From<OrderTrackingFailed> for News {
    fn from(news: OrderTrackingFailed) -> Self {
        Self(Content::Notice(Notice::Failed(news)))
    }
}

impl From<OrderDiscovered> for News {
    fn from(news: OrderDiscovered) -> Self {
        Self(Content::Notice(Notice::Discovered(news)))
    }
}

impl From<AuthorizationRequired> for News {
    fn from(news: AuthorizationRequired) -> Self {
        Self(Content::Notice(Notice::AuthorizationRequired(news)))
    }
}

impl From<LoginRequired> for News {
    fn from(news: LoginRequired) -> Self {
        Self(Content::LoginRequired(news))
    }
}

impl From<RefreshTokenChanged> for News {
    fn from(news: RefreshTokenChanged) -> Self {
        Self(Content::RefreshTokenChanged(news))
    }
}

impl From<TrackerState> for News {
    fn from(news: TrackerState) -> Self {
        Self(Content::Notice(Notice::State(news)))
    }
}

impl From<LedgerState> for News {
    fn from(news: LedgerState) -> Self {
        Self(Content::Notice(Notice::Ledger(news)))
    }
}

impl From<PurchaseStarted> for News {
    fn from(news: PurchaseStarted) -> Self {
        Self(Content::Notice(Notice::PurchaseStarted(Box::new(news))))
    }
}

impl From<PurchaseFailed> for News {
    fn from(news: PurchaseFailed) -> Self {
        Self(Content::Notice(Notice::PurchaseFailed(Box::new(news))))
    }
}

impl From<PaymentPageFailed> for News {
    fn from(news: PaymentPageFailed) -> Self {
        Self(Content::Notice(Notice::PageFailed(news)))
    }
}

impl From<PaymentPageChanged> for News {
    fn from(news: PaymentPageChanged) -> Self {
        Self(Content::Notice(Notice::PageChanged(news)))
    }
}

impl From<Vec<CatalogItem>> for News {
    fn from(news: Vec<CatalogItem>) -> Self {
        Self(Content::Notice(Notice::Catalog(Ok(news))))
    }
}
