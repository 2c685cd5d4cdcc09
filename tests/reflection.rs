//! What a tool that inspects a game sees of the plugin, and what it does not.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::any::TypeId;

use bevy::ecs::reflect::{AppTypeRegistry, ReflectResource};
use bevy::prelude::*;
use bevy::reflect::serde::{ReflectDeserializer, ReflectSerializer};
use bevy::reflect::{PartialReflect, ReflectRef, TypeRegistry};
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::inventory::{Inventory, InventoryCommands, InventoryState, XsollaInventoryPlugin};
use bevy_xsolla::prelude::*;
use bevy_xsolla::{ConfigError, LedgerError, RequestError, SocketError, TrackingError};
use serde::de::DeserializeSeed;
use support::Game;

/// Registers what the guide names.
fn register(app: &mut App) {
    app.register_type::<Orders>()
        .register_type::<TrackerState>()
        .register_type::<LedgerState>()
        .register_type::<Catalog>()
        .register_type::<Inventory>();
}

/// The crate's registered types.
fn registered(app: &App) -> Vec<&'static str> {
    let types = app.world().resource::<AppTypeRegistry>().read();
    let paths = types
        .iter()
        .map(|registration| registration.type_info().type_path());
    paths.filter(|path| path.contains("bevy_xsolla")).collect()
}

fn to_json(value: &dyn PartialReflect, types: &TypeRegistry) -> serde_json::Value {
    serde_json::to_value(ReflectSerializer::new(value, types)).unwrap()
}

/// All that reflection gives away of a value: as JSON, in `Debug`, and field by field.
fn shown(value: &dyn PartialReflect, types: &TypeRegistry) -> String {
    let mut shown = format!("{} {value:?} {value:#?} ", to_json(value, types));
    walk(value, &mut shown);
    shown
}

fn walk(value: &dyn PartialReflect, shown: &mut String) {
    let mut all = |fields: Vec<&dyn PartialReflect>| {
        for field in fields {
            walk(field, shown);
        }
    };
    match value.reflect_ref() {
        ReflectRef::Struct(value) => all(value.iter_fields().map(|field| field.1).collect()),
        ReflectRef::TupleStruct(value) => all(value.iter_fields().collect()),
        ReflectRef::Tuple(value) => all(value.iter_fields().collect()),
        ReflectRef::List(value) => all(value.iter().collect()),
        ReflectRef::Array(value) => all(value.iter().collect()),
        ReflectRef::Map(value) => all(value.iter().flat_map(|(k, v)| [k, v]).collect()),
        ReflectRef::Set(value) => all(value.iter().collect()),
        ReflectRef::Enum(value) => all(value.iter_fields().map(|field| field.value()).collect()),
        ReflectRef::Opaque(value) => shown.push_str(&format!("{value:?} ")),
    }
}

#[derive(Resource, Default)]
struct Started(Vec<PurchaseStarted>);

/// A shop after a purchase that is delivered, one that is not, and some trouble.
fn shop(emulator: &XsollaEmulator, token: &str) -> (Game, OrderId) {
    let mut game = Game::logged_in(emulator.config(), &XsollaUser::new(token));
    register(&mut game.app);
    game.app.add_plugins(XsollaInventoryPlugin);
    game.app.init_resource::<Started>().add_systems(
        Update,
        |mut started: MessageReader<PurchaseStarted>, mut all: ResMut<Started>| {
            all.0.extend(started.read().cloned());
        },
    );
    game.commands(|commands| {
        commands.fetch_catalog();
        commands.purchase(Purchase::item("sword").custom_parameter("key", "game's own"));
    });
    game.wait_until("the order is made", |world| {
        !world.resource::<Started>().0.is_empty()
    });
    let order = game.app.world().resource::<Started>().0[0].order_id;
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.commands(|commands| commands.fetch_inventory());
    game.wait_until("the inventory is there", |world| {
        *world.resource::<Inventory>().state() == InventoryState::Ready
    });
    emulator.revoke_tokens("alice");
    game.track(OrderId(order.0 + 1));
    game.wait_until_authorization_is_required();
    (game, order)
}

#[test]
fn an_inspector_sees_the_orders_and_never_a_token() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let (game, order) = shop(&emulator, &token);
    let world = game.app.world();
    let types = world.resource::<AppTypeRegistry>().read();
    let orders = to_json(world.resource::<Orders>(), &types);
    let text = orders.to_string();
    for part in [&order.to_string(), "sword", "Done", "Granted"] {
        assert!(text.contains(part), "{part} in {text}");
    }

    let mut shown_of_all = String::new();
    for resource in [
        world.resource::<Orders>() as &dyn PartialReflect,
        world.resource::<TrackerState>(),
        world.resource::<LedgerState>(),
        world.resource::<Catalog>(),
        world.resource::<Inventory>(),
    ] {
        shown_of_all.push_str(&shown(resource, &types));
    }
    assert!(shown_of_all.contains("potion"), "the catalogue was there");

    let started = &world.resource::<Started>().0[0];
    let payment = started.payment_url.as_deref().unwrap();
    let (_, payment) = payment.split_once("token=").unwrap();
    for secret in [payment, token.rsplit('.').next().unwrap()] {
        assert!(secret.len() > 10);
        assert!(!shown_of_all.contains(secret));
    }
}

#[test]
fn nothing_is_registered_that_the_game_does_not_ask_for() {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin));
    assert_eq!(registered(&app), [""; 0]);
    register(&mut app);
    assert!(registered(&app).len() > 4);
}

#[test]
fn the_token_is_not_reflected_and_no_tool_can_make_a_grant() {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin));
    register(&mut app);
    let types = app.world().resource::<AppTypeRegistry>().read();
    assert!(types.get(TypeId::of::<XsollaUser>()).is_none());
    let mut resources: Vec<&str> = types
        .iter()
        .filter(|registration| registration.data::<ReflectResource>().is_some())
        .map(|registration| registration.type_info().type_path())
        .filter_map(|path| path.strip_prefix("bevy_xsolla::"))
        .filter_map(|path| path.rsplit("::").next())
        .collect();
    resources.sort_unstable();
    // Each of these is looked through by `an_inspector_sees_the_orders_and_never_a_token`.
    let inspected = [
        "Catalog",
        "Inventory",
        "LedgerState",
        "Orders",
        "TrackerState",
    ];
    assert_eq!(resources, inspected);
    for message in [TypeId::of::<OrderDone>(), TypeId::of::<OrderCanceled>()] {
        assert!(types.get(message).is_none());
    }
}

#[test]
fn what_is_reflected_can_be_copied_and_written_down() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let (game, order) = shop(&emulator, &token);
    let world = game.app.world();
    let types = world.resource::<AppTypeRegistry>().read();
    let orders = world.resource::<Orders>();

    let copy = orders.reflect_clone_and_take::<Orders>().unwrap();
    assert_eq!(copy.get(order), orders.get(order));
    assert_eq!(copy.reflect_partial_eq(orders), Some(true));
    let rebuilt = Orders::from_reflect(orders.as_partial_reflect()).unwrap();
    assert_eq!(rebuilt.get(order), orders.get(order));
    let mut applied = Orders::default();
    applied.try_apply(orders).unwrap();
    assert_eq!(applied.len(), orders.len());
    assert_eq!(applied.get(order), orders.get(order));

    let state = world.resource::<TrackerState>();
    let json = to_json(state, &types);
    let read = ReflectDeserializer::new(&types).deserialize(&json).unwrap();
    assert_eq!(&TrackerState::from_reflect(&*read).unwrap(), state);
}

#[test]
fn every_state_and_every_reason_can_be_written_down() {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin));
    register(&mut app);
    let types = app.world().resource::<AppTypeRegistry>().read();
    let mut config = XsollaConfig::new(1);
    config.store_url = "nonsense".to_owned();
    let not_a_url = config.validate().unwrap_err();
    assert!(matches!(not_a_url, ConfigError::BadUrl { .. }));
    let refused = RequestError::TimedOut;
    let states = [
        TrackerState::Live,
        TrackerState::InvalidConfig(not_a_url.clone()),
        TrackerState::Reconnecting {
            reason: SocketError::PingMissing,
        },
    ];
    for state in states {
        assert!(to_json(&state, &types).is_object());
        let copy = state.reflect_clone_and_take::<TrackerState>();
        assert_eq!(copy.unwrap(), state);
    }
    let trouble = LedgerState::Trouble(LedgerError::NoAnswer);
    assert!(to_json(&trouble, &types).is_object());
    let copy = trouble.reflect_clone_and_take::<LedgerState>();
    assert_eq!(copy.unwrap(), trouble);
    let failed = OrderPhase::Failed(TrackingError::Refused(refused));
    assert!(to_json(&failed, &types).is_object());
    assert!(TrackerState::from_reflect(&TrackerState::InvalidConfig(not_a_url)).is_some());
}
