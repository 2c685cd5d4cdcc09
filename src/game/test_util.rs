//! Unit tests of a game's own systems, without any server: feature `test_util`.
//!
//! [`XsollaTestPlugin`] takes the place of [`XsollaOrderPlugin`](crate::XsollaOrderPlugin): the same resources,
//! messages and commands, but no thread, no connection and no file. The functions make what the plugin would
//! send, and [`deliver`] does with it what the plugin does: it updates the resources, sends the message and
//! triggers the event.
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
//! // The game's.
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
//! // The test.
//! let mut app = App::new();
//! app.add_plugins((MinimalPlugins, XsollaTestPlugin))
//!     .init_resource::<Swords>()
//!     .add_systems(Update, unlock_items);
//! let order = OrderId(1);
//! test_util::deliver(app.world_mut(), test_util::order_done(order, &[("sword", 2)]));
//! app.update();
//! assert_eq!(app.world().resource::<Swords>().0, 2);
//!
//! app.update(); // the acknowledgement is taken in
//! let orders = app.world().resource::<Orders>();
//! assert!(orders.get(order).is_some_and(|order| order.is_acknowledged));
//! ```
//!
//! What is made here has the fields that a system is likely to look at; change the others as you need them:
//! they are public. To test against the protocols themselves, with faults on the way, use the feature `emulator`.

use bevy::prelude::*;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::game::commands::with_tracker;
use crate::game::orders::{Order, Orders, Tracking};
use crate::game::plugin::{XsollaOrderSystems, add_game_side, add_tracker};
use crate::game::tracking::Tracker;
use crate::machine::notice::{Notice, StoreNotice};
use crate::model::catalog::CatalogItem;
use crate::model::config::XsollaConfig;
use crate::model::error::{AuthorizationError, TrackingError};
use crate::model::message::{
    AuthorizationRequired, NewsSource, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
    OrderTrackingFailed,
};
use crate::model::order::{OrderId, OrderItem, OrderStatus};
use crate::model::purchase::{
    PaymentPageError, PaymentPageFailed, Purchase, PurchaseError, PurchaseFailed, PurchaseStarted,
};
use crate::model::state::TrackerState;
use crate::model::user::XsollaUser;
use crate::tracker::task::Command;

/// [`XsollaOrderPlugin`](crate::XsollaOrderPlugin) for unit tests: nothing runs in the background, and nothing
/// happens that is not [delivered](deliver).
///
/// Where the app has no [`XsollaConfig`] or [`XsollaUser`] it adds one, so that nothing is missing. The user is
/// [`player("player")`](player). An acknowledgement is taken in in the next frame.
pub struct XsollaTestPlugin;

impl Plugin for XsollaTestPlugin {
    fn build(&self, app: &mut App) {
        if app.world().contains_resource::<Tracker>() {
            log::error!("XsollaTestPlugin takes the place of XsollaOrderPlugin, which is there");
            return;
        }
        add_game_side(app);
        if !app.world().contains_resource::<XsollaConfig>() {
            app.insert_resource(XsollaConfig::new(1));
        }
        if !app.world().contains_resource::<XsollaUser>() {
            app.insert_resource(anybody());
        }
        let (tracker, commands) = Tracker::alone();
        add_tracker(app, tracker);
        app.insert_resource(Commanded(commands))
            .add_systems(PreUpdate, answer.before(XsollaOrderSystems));
        with_tracker(app.world_mut(), |_, _, _| {});
    }
}

/// What the game asks of a background task that is not there.
#[derive(Resource)]
struct Commanded(UnboundedReceiver<Command>);

fn answer(mut commands: ResMut<Commanded>, mut tracker: ResMut<Tracker>) {
    while let Ok(command) = commands.0.try_recv() {
        match command {
            Command::Acknowledge(order_id) => tracker.release(Notice::Acknowledged { order_id }),
            Command::Abandon(order_id) => tracker.release(Notice::Abandoned { order_id }),
            _ => {}
        }
    }
}

/// Something for the game to hear of: any of the plugin's messages, a [`TrackerState`], or a list of
/// `CatalogItem`s.
pub struct News(Notice);

/// Does what the plugin does when there is such news: updates [`Orders`], [`TrackerState`] or the `Catalog`,
/// sends the message and triggers the event.
///
/// As from the servers, the end of an order comes with its [`OrderStatusChanged`] before it, where the order had
/// another status.
///
/// Observers run at once; systems that read messages run in the next [`App::update`]. The app has the
/// [`XsollaTestPlugin`], or everything is in vain.
pub fn deliver(world: &mut World, news: impl Into<News>) {
    if !world.contains_resource::<Commanded>() {
        log::error!("nothing can be delivered: XsollaTestPlugin is not added");
        return;
    }
    let News(notice) = news.into();
    match &notice {
        Notice::State(TrackerState::LedgerTrouble { reason, state }) => {
            let (reason, state) = (reason.clone(), (**state).clone());
            return with_tracker(world, |_, tracker, _| {
                tracker.ledger_error = Some(reason);
                tracker.state = state;
            });
        }
        Notice::State(state) => {
            return with_tracker(world, |_, tracker, _| {
                tracker.ledger_error = None;
                tracker.state = state.clone();
            });
        }
        Notice::Done {
            order_id,
            items,
            price,
            ..
        } => {
            let details = Notice::Details {
                order_id: *order_id,
                items: items.clone(),
                price: price.clone(),
            };
            crate::game::deliver::deliver(world, details);
            change_status(world, *order_id, OrderStatus::Done);
        }
        Notice::Canceled { order_id, .. } => {
            change_status(world, *order_id, OrderStatus::Canceled);
        }
        Notice::Expired { order_id, .. } => change_status(world, *order_id, OrderStatus::Expired),
        _ => {}
    }
    if let (Some(order_id), Some(user)) = (notice.order_id(), notice.user()) {
        let mut orders = world.get_resource_or_init::<Orders>();
        orders.entry(order_id).user = Some(user.clone());
    }
    crate::game::deliver::deliver(world, notice);
}

fn change_status(world: &mut World, order_id: OrderId, status: OrderStatus) {
    let orders = world.get_resource_or_init::<Orders>();
    let known = orders
        .get(order_id)
        .filter(|order| order.source.is_some())
        .map(|order| order.status.clone());
    if known.as_ref() != Some(&status) {
        let change = order_status_changed(order_id, known, status);
        crate::game::deliver::deliver(world, News::from(change).0);
    }
}

/// A player, the same one for the same name. No server takes their token.
pub fn player(name: &str) -> XsollaUser {
    XsollaUser::new(name).with_external_id(name)
}

fn anybody() -> XsollaUser {
    player("player")
}

fn order_items(items: &[(&str, u64)]) -> Vec<OrderItem> {
    let items = items.iter().map(|(sku, quantity)| OrderItem {
        sku: (*sku).to_owned(),
        quantity: *quantity,
        is_free: false,
        price: None,
    });
    items.collect()
}

/// An order of [`player("player")`](player), as [`Orders`] would have it: for functions that take one. It is
/// followed unless its status is final, granted if it is [`Done`](OrderStatus::Done), and not acknowledged.
pub fn order(order_id: OrderId, status: OrderStatus, items: &[(&str, u64)]) -> Order {
    let mut order = Order::new(order_id);
    order.user = Some(anybody().id().clone());
    order.source = Some(NewsSource::Socket);
    order.items = Some(order_items(items));
    order.is_granted = status == OrderStatus::Done;
    if status.is_final() {
        order.tracking = Tracking::Ended;
    }
    order.status = status;
    order
}

/// `previous` is `None` for the first news of an order.
pub fn order_status_changed(
    order_id: OrderId,
    previous: Option<OrderStatus>,
    status: OrderStatus,
) -> OrderStatusChanged {
    OrderStatusChanged {
        order_id,
        previous,
        status,
        source: NewsSource::Socket,
    }
}

/// Paid and delivered: SKUs, and how many of each. Without a price.
pub fn order_done(order_id: OrderId, items: &[(&str, u64)]) -> OrderDone {
    OrderDone {
        order_id,
        user: anybody().id().clone(),
        items: order_items(items),
        price: None,
    }
}

/// Canceled, or refunded if it `was_done`.
pub fn order_canceled(order_id: OrderId, was_done: bool, items: &[(&str, u64)]) -> OrderCanceled {
    OrderCanceled {
        order_id,
        user: anybody().id().clone(),
        was_done,
        items: order_items(items),
    }
}

/// The time to pay has passed.
pub fn order_expired(order_id: OrderId) -> OrderExpired {
    OrderExpired {
        order_id,
        user: anybody().id().clone(),
    }
}

/// Given up.
pub fn order_tracking_failed(order_id: OrderId, error: TrackingError) -> OrderTrackingFailed {
    OrderTrackingFailed {
        order_id,
        user: anybody().id().clone(),
        error,
    }
}

/// The player's token is no good.
pub fn authorization_required(error: AuthorizationError) -> AuthorizationRequired {
    AuthorizationRequired {
        user: anybody().id().clone(),
        error,
    }
}

/// An order was made, without a payment page.
pub fn purchase_started(order_id: OrderId, purchase: impl Into<Purchase>) -> PurchaseStarted {
    PurchaseStarted {
        order_id,
        user: anybody().id().clone(),
        purchase: purchase.into(),
        payment_url: None,
    }
}

/// No order was made.
pub fn purchase_failed(purchase: impl Into<Purchase>, error: PurchaseError) -> PurchaseFailed {
    let purchase = purchase.into();
    let sku = purchase.items().first().map(|(sku, _)| sku.clone());
    PurchaseFailed {
        sku: sku.unwrap_or_default(),
        purchase,
        error,
    }
}

/// The payment page was not opened.
pub fn payment_page_failed(order_id: OrderId, error: PaymentPageError) -> PaymentPageFailed {
    PaymentPageFailed { order_id, error }
}

/// Something for sale, without a price.
pub fn catalog_item(sku: &str, name: &str) -> CatalogItem {
    CatalogItem {
        sku: sku.to_owned(),
        name: name.to_owned(),
        description: None,
        image_url: None,
        item_type: None,
        virtual_item_type: None,
        is_free: false,
        price: None,
        virtual_prices: Vec::new(),
        groups: Vec::new(),
        attributes: Vec::new(),
    }
}

impl From<OrderStatusChanged> for News {
    fn from(change: OrderStatusChanged) -> Self {
        Self(Notice::Status {
            order_id: change.order_id,
            previous: change.previous,
            status: change.status,
            source: change.source,
        })
    }
}

impl From<OrderDone> for News {
    fn from(done: OrderDone) -> Self {
        Self(Notice::Done {
            order_id: done.order_id,
            user: done.user,
            items: done.items,
            price: done.price,
        })
    }
}

impl From<OrderCanceled> for News {
    fn from(canceled: OrderCanceled) -> Self {
        Self(Notice::Canceled {
            order_id: canceled.order_id,
            user: canceled.user,
            was_done: canceled.was_done,
            items: canceled.items,
        })
    }
}

impl From<OrderExpired> for News {
    fn from(expired: OrderExpired) -> Self {
        Self(Notice::Expired {
            order_id: expired.order_id,
            user: expired.user,
        })
    }
}

impl From<OrderTrackingFailed> for News {
    fn from(failed: OrderTrackingFailed) -> Self {
        Self(Notice::Failed {
            order_id: failed.order_id,
            user: failed.user,
            error: failed.error,
        })
    }
}

impl From<AuthorizationRequired> for News {
    fn from(required: AuthorizationRequired) -> Self {
        Self(Notice::AuthorizationRequired {
            user: required.user,
            error: required.error,
        })
    }
}

impl From<TrackerState> for News {
    fn from(state: TrackerState) -> Self {
        Self(Notice::State(state))
    }
}

impl From<StoreNotice> for News {
    fn from(notice: StoreNotice) -> Self {
        Self(Notice::Store(Box::new(notice)))
    }
}

impl From<PurchaseStarted> for News {
    fn from(started: PurchaseStarted) -> Self {
        Self::from(StoreNotice::Started {
            order_id: started.order_id,
            user: started.user,
            purchase: started.purchase,
            payment_url: started.payment_url,
        })
    }
}

impl From<PurchaseFailed> for News {
    fn from(failed: PurchaseFailed) -> Self {
        Self::from(StoreNotice::Failed {
            user: anybody().id().clone(),
            purchase: failed.purchase,
            error: failed.error,
        })
    }
}

impl From<PaymentPageFailed> for News {
    fn from(failed: PaymentPageFailed) -> Self {
        Self::from(StoreNotice::PageFailed {
            order_id: failed.order_id,
            error: failed.error,
        })
    }
}

impl From<Vec<CatalogItem>> for News {
    fn from(items: Vec<CatalogItem>) -> Self {
        Self::from(StoreNotice::Catalog(Ok(items)))
    }
}
