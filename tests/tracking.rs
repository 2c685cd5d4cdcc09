//! An order is followed from `new` to `OrderDone`, over real sockets.

mod support;

use std::time::{Duration, Instant};

use bevy_xsolla::prelude::*;
use support::{
    Told, hurried_shop, hurry, is_followed, is_given_up, is_granted, shop, shop_with, sword_order,
    wait_without_frames,
};

#[test]
fn a_paid_and_delivered_order_is_granted_with_its_items() {
    let (emulator, mut game) = shop();
    let alice = emulator.user("alice");
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
    // When it was tracked, and when it was paid: what is bought may change before that.
    assert_eq!(emulator.order_requests(), 2);
    assert_eq!(emulator.history_requests(), 1);
    game.wait_until("tracking is idle", |world| {
        *world.resource::<TrackerState>() == TrackerState::Idle
    });
}

#[test]
fn what_was_published_before_the_socket_opened_is_read_from_the_history() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    // Get Order lags behind: only the history tells.
    emulator.freeze_requests(true);
    emulator.pay(order);
    emulator.deliver(order);
    game.track(order);
    game.wait_for_status(order, "done");
    assert_eq!(game.grants(order), 0, "no answer lists what was paid for");
    emulator.freeze_requests(false);
    game.wait_until_granted(order);
}

#[test]
fn a_socket_that_drops_after_paid_still_grants_once() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
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
    game.run_for(Duration::from_millis(300));
    assert_eq!(game.grants(order), 1);
    assert_eq!(emulator.recoveries(), 1);
}

#[test]
fn three_orders_of_a_user_share_one_socket_that_closes_after_the_last() {
    let (emulator, mut game) = shop();
    let orders = [(); 3].map(|()| sword_order(&emulator));
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
    let last = Instant::now();
    game.wait_until("the socket is closed", |_| emulator.open_sockets() == 0);
    assert!(last.elapsed() < Duration::from_secs(2));
    assert_eq!(emulator.sockets_opened(), 1);
}

#[test]
fn the_game_hears_of_cancellation_refund_and_expiry() {
    let (emulator, mut game) = shop();
    let orders = [(); 4].map(|()| sword_order(&emulator));
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
    game.wait_until_granted(refunded);
    emulator.cancel(refunded);
    emulator.expire(expired);
    game.wait_for_status(expired, "expired");
    game.wait_until("both cancellations are told", |world| {
        world.resource::<Told>().canceled.len() == 2
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
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    emulator.set_status(order, "in_review");
    game.wait_for_status(order, "in_review");
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn an_acknowledged_order_is_never_delivered_again() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until_granted(order);
    game.acknowledge(order);
    game.wait_until_acknowledged(order);
    game.track(order);
    // A second order's whole life passes meanwhile.
    let second = sword_order(&emulator);
    game.track(second);
    emulator.deliver(second);
    game.wait_until_granted(second);
    assert_eq!(game.grants(order), 1);
}

#[test]
fn a_granted_order_can_be_acknowledged_though_the_game_has_replaced_its_orders() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until_granted(order);
    game.app.insert_resource(Orders::default());
    game.track(order);
    game.wait_until("it is known to be granted", |world| {
        is_granted(world, order)
    });
    game.acknowledge(order);
    game.wait_until_acknowledged(order);
    assert_eq!(game.grants(order), 1);
}

#[test]
fn an_untracked_order_is_forgotten() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    game.commands(|commands| commands.untrack_order(order));
    game.wait_until("the socket is closed", |_| emulator.open_sockets() == 0);
    assert!(game.orders().is_empty());
}

#[test]
fn an_order_that_is_untracked_and_tracked_in_the_frame_of_its_news_is_granted_once() {
    let (emulator, mut game) = hurried_shop();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    wait_without_frames("the order is answered", || emulator.order_requests() == 1);
    // The player asks the game to check the purchase again.
    game.commands(|commands| {
        commands.untrack_order(order);
        commands.track_order(order);
    });
    game.wait_until_granted(order);
    game.run_for(Duration::from_secs(1));
    assert_eq!(game.grants(order), 1);
    game.acknowledge(order);
    game.wait_until_acknowledged(order);
}

#[test]
fn an_order_that_is_tracked_again_after_it_was_given_up_is_shown_as_followed() {
    let (emulator, mut game) = shop_with(|config| {
        hurry(config);
        config.tracking_timeout = Duration::from_secs(1);
    });
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until("it is given up", |world| is_given_up(world, order));
    game.track(order);
    assert!(is_followed(game.app.world(), order));
    emulator.deliver(order);
    game.wait_until_granted(order);
}
