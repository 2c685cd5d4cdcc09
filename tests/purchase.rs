//! An order is followed from `new` to `OrderDone`, over real sockets.

mod support;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::Game;

fn shop() -> (XsollaEmulator, XsollaUser, Game) {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let mut game = Game::new(emulator.config());
    game.log_in(&alice);
    (emulator, alice, game)
}

#[test]
fn a_paid_and_delivered_order_is_granted_with_its_items() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1), ("potion", 3)]);
    game.track(order);
    game.wait_for_status(order, "new");
    game.wait_until_live();
    emulator.pay(order);
    game.wait_for_status(order, "paid");
    emulator.deliver(order);
    game.wait_until_granted(order);

    assert_eq!(game.statuses(order), ["new", "paid", "done"]);
    let done = &game.told().done[0];
    let items: Vec<_> = done
        .items
        .iter()
        .map(|item| (item.sku.as_str(), item.quantity))
        .collect();
    assert_eq!(items, [("sword", 1), ("potion", 3)]);
    assert_eq!(&done.user, alice.id());
    assert_eq!(game.told().observed_done, [order]);
    assert_eq!(game.told().disagreements, Vec::<String>::new());
    assert_eq!(emulator.sockets_opened(), 1);
    assert_eq!(emulator.order_requests(), 1);
    assert_eq!(emulator.history_requests(), 1);
    game.wait_until("tracking is idle", |world| {
        *world.resource::<TrackerState>() == TrackerState::Idle
    });
}

#[test]
fn what_was_published_before_the_socket_opened_is_heard_from_history() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    // Get Order lags: only the history tells.
    emulator.freeze_requests(true);
    emulator.pay(order);
    emulator.deliver(order);
    game.track(order);
    game.wait_until_granted(order);
    assert_eq!(emulator.order_requests(), 1);
}

#[test]
fn a_socket_that_drops_after_paid_still_grants_once() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_until_live();
    emulator.pay(order);
    game.wait_for_status(order, "paid");
    // What is published while there is no socket is recovered by the next.
    emulator.refuse_sockets(true);
    emulator.drop_sockets();
    emulator.announce(order, "done");
    emulator.refuse_sockets(false);
    game.wait_until_granted(order);
    assert_eq!(game.grants(order), 1);
    assert_eq!(emulator.recoveries(), 1);
}

#[test]
fn three_orders_of_a_user_share_one_socket_that_closes_after_the_last() {
    let (emulator, alice, mut game) = shop();
    let orders = [1, 2, 3].map(|n| emulator.create_order(&alice, &[("potion", n)]));
    for order in orders {
        game.track(order);
    }
    game.wait_until_live();
    for order in orders {
        game.wait_for_status(order, "new");
        assert_eq!(emulator.open_sockets(), 1);
        emulator.deliver(order);
        game.wait_until_granted(order);
    }
    let last = std::time::Instant::now();
    game.wait_until("the socket is closed", |_| emulator.open_sockets() == 0);
    assert!(last.elapsed() < std::time::Duration::from_secs(2));
    assert_eq!(emulator.sockets_opened(), 1);
}

#[test]
fn the_game_hears_of_cancellation_refund_and_expiry() {
    let (emulator, alice, mut game) = shop();
    let orders = [(); 4].map(|()| emulator.create_order(&alice, &[("sword", 1)]));
    let [canceled, refunded, expired, open] = orders;
    for order in orders {
        game.track(order);
    }
    game.wait_until_live();
    for order in orders {
        game.wait_for_status(order, "new");
    }
    emulator.cancel(canceled);
    emulator.deliver(refunded);
    emulator.cancel(refunded);
    emulator.expire(expired);
    game.wait_for_status(expired, "expired");
    game.wait_until("both cancellations are told", |world| {
        world.resource::<support::Told>().canceled.len() == 2
    });
    for told in &game.told().canceled {
        assert_eq!(told.was_done, told.order_id == refunded);
    }
    assert_eq!(game.told().expired[0].order_id, expired);
    assert_eq!(game.grants(canceled), 0);
    assert_eq!(game.statuses(open), ["new"]);
}

#[test]
fn an_unknown_status_is_told_and_the_order_is_granted_later() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_until_live();
    emulator.set_status(order, "in_review");
    game.wait_for_status(order, "in_review");
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn an_acknowledged_order_is_never_delivered_again() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    game.track(order);
    game.wait_until_granted(order);
    game.commands(|commands| commands.acknowledge_order(order));
    game.wait_until("the acknowledgement is taken", |world| {
        let orders = world.resource::<Orders>();
        orders.get(order).unwrap().is_acknowledged
    });
    game.track(order);
    // A second order's whole life passes meanwhile.
    let second = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(second);
    emulator.deliver(second);
    game.wait_until_granted(second);
    assert_eq!(game.grants(order), 1);
}

#[test]
fn an_untracked_order_is_forgotten() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_until_live();
    game.commands(|commands| commands.untrack_order(order));
    game.wait_until("the socket is closed", |_| emulator.open_sockets() == 0);
    assert!(game.orders().is_empty());
}
