//! Tests of how an order is followed, from the first request to the end of the last connection.

use super::*;

#[test]
fn tracking_asks_for_the_order_and_opens_the_socket_side_by_side() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    assert_eq!(sim.requests_sent(), 1);
    assert_eq!(sim.sockets_opened, 1);
    assert_eq!(*sim.state(), TrackerState::Connecting);
}

#[test]
fn a_purchase_over_the_socket_takes_one_connection_and_two_requests() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    sim.pass(seconds(170));
    sim.publish_purchase(ORDER);
    assert_eq!(sim.statuses(), ["new", "paid", "done"]);
    assert_eq!(sim.grants(ORDER), 1);
    assert_eq!((sim.sockets_opened, sim.requests_sent()), (1, 2));
    assert_eq!(sim.socket, None);
    assert_eq!(*sim.state(), TrackerState::Idle);
    assert!(sim.machine.is_idle());
}

#[test]
fn no_request_stands_between_done_and_the_grant_where_the_items_are_known() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    sim.pass(seconds(60));
    sim.publish(ORDER, "paid");
    sim.answer_all(&Ok(report("paid")));
    sim.publish(ORDER, "done");
    assert!(sim.requests.is_empty());
    assert!(matches!(
        sim.notices.iter().rfind(|n| !matches!(n, Notice::State(_))),
        Some(Notice::Done(done)) if done.items == sword()
    ));
}

#[test]
fn done_without_known_items_is_told_at_once_and_granted_when_they_are_fetched() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Err(http(500)));
    sim.socket_is_live(true);
    sim.publish(ORDER, "done");
    assert_eq!(sim.statuses(), ["done"]);
    assert_eq!(sim.grants(ORDER), 0);
    assert_eq!(sim.socket, None, "a done order needs no socket");
    // The answers fail, then lag behind the socket.
    sim.pass_answering(seconds(30), &Err(http(503)));
    sim.pass_answering(seconds(60), &Ok(report("paid")));
    assert_eq!(sim.grants(ORDER), 1);
    assert_eq!(sim.failures(), Vec::<&TrackingError>::new());
    assert!(sim.machine.is_idle());
}

#[test]
fn an_answer_without_a_list_of_items_does_not_grant_an_empty_order() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    let bare = Report {
        items: None,
        ..report("done")
    };
    sim.pass_answering(seconds(600), &Ok(bare));
    assert_eq!(sim.grants(ORDER), 0);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn the_game_hears_of_a_cancellation_and_of_a_refund() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.track(OrderId(2));
    sim.pass_answering(seconds(1), &Ok(report("new")));
    sim.socket_is_live(true);
    sim.publish_purchase(ORDER);
    sim.publish(ORDER, "canceled");
    sim.publish(OrderId(2), "canceled");
    assert_eq!(sim.canceled(), [(ORDER, true), (OrderId(2), false)]);
    assert!(sim.machine.is_idle());
}

#[test]
fn a_stale_done_after_a_cancellation_grants_nothing() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.socket_is_live(true);
    sim.publish(ORDER, "canceled");
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(600), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);
}

#[test]
fn an_expired_order_is_told_and_left() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("expired")));
    assert!(matches!(
        sim.notices.iter().rfind(|n| !matches!(n, Notice::State(_))),
        Some(Notice::Expired(_))
    ));
    assert!(sim.machine.is_idle());
}

#[test]
fn an_order_is_granted_once_whatever_is_heard_twice() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.track(OrderId(2));
    sim.tick();
    sim.socket_is_live(true);
    for _ in 0..3 {
        sim.publish(ORDER, "done");
        sim.answer_all(&Ok(report("done")));
        sim.track(ORDER);
    }
    sim.acknowledge(ORDER);
    sim.track(ORDER);
    sim.publish(ORDER, "done");
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn only_a_granted_order_can_be_acknowledged() {
    let mut sim = Sim::new();
    let entry = |sim: &Sim| sim.ledger.get(&ORDER).map(|(entry, _)| *entry);
    sim.acknowledge(ORDER);
    assert_eq!(entry(&sim), None);
    sim.track(ORDER);
    sim.acknowledge(ORDER);
    assert_eq!(entry(&sim), Some(LedgerEntry::Open));
    sim.pass_answering(seconds(1), &Ok(report("done")));
    for _ in 0..2 {
        // A second acknowledgement does no harm.
        sim.acknowledge(ORDER);
        assert_eq!(entry(&sim), Some(LedgerEntry::Acknowledged));
    }
}

#[test]
fn an_unknown_status_is_told_and_tracking_goes_on() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    sim.publish(ORDER, "in_review");
    sim.publish(ORDER, "done");
    assert_eq!(sim.statuses(), ["new", "in_review", "done"]);
    sim.pass_answering(seconds(1), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn news_that_came_before_the_order_was_tracked_is_not_lost() {
    let mut sim = Sim::new();
    sim.track(OrderId(1));
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    sim.publish(ORDER, "paid");
    sim.publish(ORDER, "done");
    sim.track(ORDER);
    sim.tick();
    // Get Order lags behind the socket, and does not say yet what was bought.
    sim.answer(Ok(report("new")));
    assert_eq!(sim.grants(ORDER), 0);
    sim.pass_answering(seconds(5), &Ok(report("paid")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn three_orders_share_a_socket_that_closes_after_the_last() {
    let mut sim = Sim::new();
    let orders = [OrderId(1), OrderId(2), OrderId(3)];
    for order in orders {
        sim.track(order);
    }
    sim.pass_answering(seconds(1), &Ok(report("new")));
    sim.socket_is_live(true);
    for order in orders {
        assert!(sim.socket.is_some());
        sim.pass(seconds(60));
        sim.publish_purchase(order);
        assert_eq!(sim.grants(order), 1);
    }
    assert_eq!((sim.sockets_opened, sim.socket), (1, None));
}

#[test]
fn an_untracked_order_is_neither_asked_for_nor_told_of() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    let (_, request) = sim.requests[0];
    sim.untrack(ORDER);
    assert!(sim.requests.is_empty(), "its request is canceled");
    // The answer was under way already.
    let answer = Answer::Order(Ok(report("done")));
    sim.handle(Input::Answered { request, answer });
    sim.pass(seconds(600));
    assert_eq!(sim.grants(ORDER), 0);
    assert!(sim.machine.is_idle());
}

#[test]
fn one_players_socket_has_no_say_in_another_players_order() {
    let mut sim = Sim::new();
    sim.handle(Input::TrackAs {
        user: token("bob", 1),
        expires_in: None,
        order_id: ORDER,
    });
    sim.publish(ORDER, "done");
    assert_eq!(sim.statuses(), Vec::<String>::new());
}

#[test]
fn without_config_nothing_runs_and_with_it_everything_does() {
    let mut sim = Sim::unconfigured();
    sim.log_in();
    sim.track(ORDER);
    sim.pass(seconds(100));
    assert_eq!((sim.requests_sent(), sim.sockets_opened), (0, 0));
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim.tick();
    assert_eq!((sim.requests_sent(), sim.sockets_opened), (1, 1));
    sim.configure(None);
    sim.pass(seconds(100));
    assert_eq!(sim.requests_sent(), 1);
    assert_eq!(sim.socket, None);
}

#[test]
fn an_abandoned_order_is_followed_again_once_there_is_news_and_not_when_old_news_is_repeated() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.handle(Input::Abandon(ORDER));
    let told = sim.notices.len();
    sim.publish(ORDER, "new");
    assert!(
        !sim.notices[told..]
            .iter()
            .any(|notice| notice.order_id() == Some(ORDER))
    );
    sim.publish(ORDER, "paid");
    assert_eq!(sim.statuses(), ["paid"]);
}

#[test]
fn there_is_a_limit_to_how_many_orders_of_a_player_are_open() {
    let mut sim = Sim::new();
    for n in 0..MAX_OPEN as u64 {
        sim.track(OrderId(n));
    }
    assert!(sim.failures().is_empty());
    sim.track(OrderId(u64::MAX));
    assert_eq!(sim.failures(), [&TrackingError::TooManyOrders]);
}

#[test]
fn an_order_paid_while_the_machine_slept_for_days_is_asked_for_before_it_is_given_up() {
    let mut sim = live_with(&[ORDER]);
    // The machine sleeps over a weekend, and the player pays on the phone. It ticks once when it wakes up.
    sim.now += seconds(60 * 3600);
    sim.tick();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!((sim.grants(ORDER), sim.failures().len()), (1, 0));
}

#[test]
fn a_lid_that_closes_again_at_once_gives_no_order_up() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    for _ in 0..3 {
        sim.now += seconds(60 * 3600);
        sim.tick();
    }
    assert!(sim.failures().is_empty() && !sim.ledger.is_empty());
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_changed_tracking_timeout_counts_for_orders_that_are_open() {
    let mut sim = live_with(&[ORDER]);
    let mut config = sim.config.clone();
    config.tracking_timeout = seconds(72 * 3600);
    sim.configure(Some(config));
    sim.pass_answering(seconds(30 * 3600), &Ok(report("new")));
    assert_eq!(sim.failures(), Vec::<&TrackingError>::new());
}

#[test]
fn news_of_an_order_that_was_given_up_is_not_swallowed() {
    let other = OrderId(2);
    let mut sim = Sim::new();
    sim.track(other);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    sim.track(ORDER);
    // Get Order lags behind the creation for a little longer than five tries.
    while sim.failures().is_empty() {
        sim.pass(seconds(1));
        while let Some((order, _)) = sim.requests.front() {
            let answer = if *order == ORDER {
                Err(http(404))
            } else {
                Ok(report("new"))
            };
            sim.answer(answer);
        }
    }
    sim.publish(ORDER, "paid");
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(
        sim.statuses(),
        ["new", "paid", "done"],
        "the game's UI says done"
    );
    assert_eq!(sim.grants(ORDER), 1, "and the item never comes");
}

#[test]
fn news_of_an_order_that_was_given_up_begins_it_anew_and_is_not_lost() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.track(OrderId(u64::MAX));
    sim.pass_answering(seconds(1), &Err(http(500)));
    sim.socket_is_live(true);
    sim.pass_answering(seconds(120), &Err(http(404)));
    assert!(!sim.failures().is_empty());
    sim.publish(ORDER, "done");
    assert_eq!(sim.statuses(), ["done"]);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_refunded_order_that_is_tracked_again_is_not_granted_again_by_a_lagging_answer() {
    let other = OrderId(2);
    let mut sim = live_with(&[ORDER, other]);
    sim.pass(seconds(60));
    sim.publish_purchase(ORDER);
    sim.acknowledge(ORDER);
    sim.publish(ORDER, "canceled");
    assert_eq!(sim.grants(ORDER), 1);
    // A shop may track every order in its list whenever it is opened.
    sim.track(ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1, "granted, refunded, granted");
}

#[test]
fn an_empty_list_from_a_lagging_answer_does_not_wipe_the_items_out() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.pass(seconds(5));
    let empty = Report {
        items: Some(Vec::new()),
        ..report("paid")
    };
    sim.answer(Ok(empty));
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert!(
        sim.notices
            .iter()
            .any(|n| matches!(n, Notice::Done(done) if done.items == sword())),
        "{:?}",
        sim.notices.last()
    );
}

#[test]
fn an_order_that_had_no_items_when_it_was_new_is_looked_at_again_when_it_is_done() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    let empty = Report {
        items: Some(Vec::new()),
        ..report("new")
    };
    sim.answer(Ok(empty));
    sim.socket_is_live(true);
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert!(
        sim.notices
            .iter()
            .any(|n| matches!(n, Notice::Done(done) if done.items == sword())),
        "a paid order was granted with nothing in it"
    );
}

#[test]
fn an_empty_list_of_a_done_order_is_waited_out_for_ten_minutes_and_then_told_as_it_is() {
    let empty = Report {
        items: Some(Vec::new()),
        ..report("done")
    };
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.pass_answering(seconds(590), &Ok(empty.clone()));
    assert_eq!(sim.grants(ORDER), 0);
    assert_eq!(sim.statuses(), ["done"], "the game hears that it is done");
    // The items come after all.
    let mut late = Sim::new();
    late.track(ORDER);
    late.pass_answering(seconds(590), &Ok(empty.clone()));
    late.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(late.grants(ORDER), 1);
    // They never come.
    sim.pass_answering(seconds(120), &Ok(empty));
    let granted = sim.notices.iter().find_map(|notice| match notice {
        Notice::Done(done) => Some(done.items.clone()),
        _ => None,
    });
    assert_eq!(granted, Some(Vec::new()));
}

#[test]
fn an_overdue_order_that_the_socket_tells_is_paid_is_not_given_up_by_the_next_answer() {
    let mut sim = live_with(&[ORDER]);
    // The machine sleeps for longer than an order is waited for.
    sim.now += seconds(48 * 3600);
    sim.tick();
    sim.publish(ORDER, "paid");
    sim.pass_answering(seconds(60), &Ok(report("paid")));
    assert!(sim.failures().is_empty());
    sim.publish(ORDER, "done");
    assert_eq!(sim.grants(ORDER), 1);
}
