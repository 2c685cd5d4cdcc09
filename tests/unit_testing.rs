//! A game's systems are tested without any server.

mod support;

use bevy::prelude::*;
use bevy_xsolla::inventory::{
    ConsumeError, ConsumeFailed, Inventory, InventoryCommands, InventoryError, InventoryState,
    ItemConsumed, XsollaInventoryPlugin,
};
use bevy_xsolla::prelude::*;
use bevy_xsolla::test_util::{self, XsollaTestPlugin};
use bevy_xsolla::{
    AuthorizationError, LedgerError, PaymentPageError, RefreshTokenChanged, SocketError,
    TrackingError,
};
use support::is_acknowledged;

const ORDER: OrderId = OrderId(1);

/// What was heard, as a message and as an event.
#[derive(Resource, Default)]
struct Heard(Vec<String>);

fn note<M>(app: &mut App)
where
    M: Message + std::fmt::Debug,
    M: for<'a> Event<Trigger<'a>: Default>,
{
    let name = std::any::type_name::<M>().rsplit("::").next();
    let name = name.unwrap_or_default();
    app.add_systems(
        Update,
        move |mut messages: MessageReader<M>, mut heard: ResMut<Heard>| {
            let messages = messages.read().map(|_| format!("message {name}"));
            heard.0.extend(messages);
        },
    )
    .add_observer(move |_: On<M>, mut heard: ResMut<Heard>| {
        heard.0.push(format!("event {name}"));
    });
}

fn app() -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaTestPlugin))
        .init_resource::<Heard>();
    note::<OrderStatusChanged>(&mut app);
    note::<OrderDone>(&mut app);
    note::<OrderCanceled>(&mut app);
    note::<OrderExpired>(&mut app);
    note::<OrderTrackingFailed>(&mut app);
    note::<OrderDiscovered>(&mut app);
    note::<AuthorizationRequired>(&mut app);
    note::<LoginRequired>(&mut app);
    note::<RefreshTokenChanged>(&mut app);
    note::<PurchaseStarted>(&mut app);
    note::<PurchaseFailed>(&mut app);
    note::<PaymentPageFailed>(&mut app);
    app
}

/// What is heard of this news.
fn heard(app: &mut App, news: impl Into<test_util::News>) -> Vec<String> {
    test_util::deliver(app.world_mut(), news);
    app.update();
    let mut heard = std::mem::take(&mut app.world_mut().resource_mut::<Heard>().0);
    heard.sort();
    heard
}

fn both(names: &[&str]) -> Vec<String> {
    let kinds = ["event", "message"];
    let names = kinds.iter().flat_map(|kind| {
        let names = names.iter();
        names.map(move |name| format!("{kind} {name}"))
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn every_message_comes_as_message_and_event_and_orders_knows() {
    let mut app = app();
    let app = &mut app;
    let order = |app: &App| app.world().resource::<Orders>().get(ORDER).cloned();

    let paid = test_util::order_status_changed(ORDER, None, OrderStatus::Paid);
    assert_eq!(heard(app, paid), both(&["OrderStatusChanged"]));
    assert_eq!(order(app).unwrap().status, OrderStatus::Paid);

    let done = test_util::order_done(ORDER, &[("sword", 2)]);
    assert_eq!(heard(app, done), both(&["OrderDone", "OrderStatusChanged"]));
    let expected = test_util::order(ORDER, OrderStatus::Done, &[("sword", 2)]);
    assert_eq!(order(app), Some(expected));

    let refund = test_util::order_canceled(ORDER, true, &[("sword", 2)]);
    let told = heard(app, refund);
    assert_eq!(told, both(&["OrderCanceled", "OrderStatusChanged"]));
    assert_eq!(order(app).unwrap().phase, OrderPhase::Ended);

    let expired = test_util::order_expired(OrderId(2));
    let told = heard(app, expired);
    assert_eq!(told, both(&["OrderExpired", "OrderStatusChanged"]));

    let failed = test_util::order_tracking_failed(OrderId(3), TrackingError::TooManyOrders);
    assert_eq!(heard(app, failed), both(&["OrderTrackingFailed"]));
    let discovered = test_util::order_discovered(OrderId(9), OrderStatus::Paid);
    assert_eq!(heard(app, discovered), both(&["OrderDiscovered"]));
    let required = test_util::authorization_required(AuthorizationError::Expired);
    assert_eq!(heard(app, required), both(&["AuthorizationRequired"]));

    let required = test_util::login_required(TokenFailure::log_in_again("the session is over"));
    assert_eq!(heard(app, required), both(&["LoginRequired"]));
    let changed = test_util::refresh_token_changed("geheim");
    assert_eq!(heard(app, changed), both(&["RefreshTokenChanged"]));

    let started = test_util::purchase_started(OrderId(4), "sword");
    assert_eq!(heard(app, started), both(&["PurchaseStarted"]));
    let failed = test_util::purchase_failed("sword", PurchaseError::NotLoggedIn);
    assert_eq!(heard(app, failed), both(&["PurchaseFailed"]));
    let failed = test_util::payment_page_failed(OrderId(4), PaymentPageError::NoPage);
    assert_eq!(heard(app, failed), both(&["PaymentPageFailed"]));
    assert_eq!(app.world().resource::<Orders>().len(), 4);
}

#[test]
fn what_a_player_owns_can_be_shown_and_used_up() {
    let mut app = app();
    app.add_plugins(XsollaInventoryPlugin);
    note::<ItemConsumed>(&mut app);
    note::<ConsumeFailed>(&mut app);
    let app = &mut app;
    let state = |app: &App| app.world().resource::<Inventory>().state().clone();
    let items = vec![
        test_util::inventory_item("potion", "Potion", Some(3)),
        test_util::inventory_item("sword", "Sword", None),
    ];
    assert_eq!(heard(app, items), both(&[]));
    assert_eq!(state(app), InventoryState::Ready);
    assert!(app.world().resource::<Inventory>().has("sword"));

    let mut consumed = test_util::item_consumed("potion", 1);
    consumed.left = 2;
    assert_eq!(heard(app, consumed), both(&["ItemConsumed"]));
    let owned = app.world().resource::<Inventory>();
    assert_eq!(owned.quantity("potion"), 2);
    let failed = test_util::consume_failed("potion", 5, ConsumeError::NotEnough { owned: 2 });
    assert_eq!(heard(app, failed), both(&["ConsumeFailed"]));
    test_util::deliver(app.world_mut(), InventoryError::TaskEnded);
    assert_eq!(
        state(app),
        InventoryState::Failed(InventoryError::TaskEnded)
    );

    // The commands have no answer but that of the test.
    app.world_mut().commands().fetch_inventory();
    app.world_mut().commands().consume_item("potion", 1);
    for _ in 0..3 {
        app.update();
    }
    assert_eq!(state(app), InventoryState::Loading);
    assert!(app.world().resource::<Heard>().0.is_empty());
}

#[test]
fn an_acknowledgement_is_taken_in_and_the_order_forgotten_at_will() {
    let mut app = app();
    app.add_systems(
        Update,
        |mut done: MessageReader<OrderDone>, mut commands: Commands| {
            for done in done.read() {
                commands.acknowledge_order(done.order_id);
            }
        },
    );
    app.world_mut().commands().track_order(ORDER);
    test_util::deliver(app.world_mut(), test_util::order_done(ORDER, &[]));
    app.update();
    app.update();
    assert!(is_acknowledged(app.world(), ORDER));
    app.world_mut().commands().untrack_order(ORDER);
    app.update();
    assert!(app.world().resource::<Orders>().is_empty());
}

#[test]
fn every_state_can_be_shown_and_the_catalogue_filled() {
    let mut app = app();
    let state = |app: &App| app.world().resource::<TrackerState>().clone();
    assert_eq!(state(&app), TrackerState::Idle);
    let reason = SocketError::PingMissing;
    for shown in [
        TrackerState::Live,
        TrackerState::NoUser,
        TrackerState::Polling {
            reason: Some(reason),
            requests: None,
        },
        TrackerState::Idle,
    ] {
        test_util::deliver(app.world_mut(), shown.clone());
        assert_eq!(state(&app), shown);
        app.update();
        assert_eq!(state(&app), shown);
    }
    let ledger = |app: &App| app.world().resource::<LedgerState>().clone();
    for shown in [
        LedgerState::Trouble(LedgerError::NoAnswer),
        LedgerState::Disabled,
        LedgerState::Kept,
    ] {
        test_util::deliver(app.world_mut(), shown.clone());
        assert_eq!(ledger(&app), shown);
        app.update();
        assert_eq!(ledger(&app), shown);
    }
    let items = vec![test_util::catalog_item("sword", "The Sword")];
    test_util::deliver(app.world_mut(), items);
    let catalog = app.world().resource::<Catalog>();
    assert_eq!(catalog.get("sword").unwrap().name, "The Sword");
}
