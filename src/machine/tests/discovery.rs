//! Tests of orders that were made elsewhere: in the Web Shop, or on another device.

mod devices;
mod forgotten;
mod listening;

use super::*;
use crate::model::config::{GrantAt, Listen};
use crate::model::purchase::{CreatedOrder, PurchaseId};

/// Makes a machine that listens while alice is logged in, with the socket being opened.
fn listening(adopts: bool) -> Sim {
    let mut sim = Sim::unconfigured();
    sim.config.listen = Listen::WhileLoggedIn;
    sim.config.adopt_orders = adopts;
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim.log_in();
    sim
}

/// The orders that the game was told of, with their statuses.
fn discovered(sim: &Sim) -> Vec<(u64, String)> {
    let discovered = |notice: &Notice| match notice {
        Notice::Discovered(found) => Some((found.order_id.0, found.status.to_string())),
        _ => None,
    };
    sim.notices.iter().filter_map(discovered).collect()
}

fn tell(sim: &mut Sim, order_id: u64, statuses: &[&str]) {
    for status in statuses {
        sim.publish(OrderId(order_id), status);
    }
}

/// Has the socket tell the history, and the store say that each order is done.
fn hear(sim: &mut Sim, history: &[(u64, &str)]) {
    for (order_id, statuses) in history {
        for status in statuses.split_whitespace() {
            sim.publish(OrderId(*order_id), status);
        }
    }
    sim.socket_is_live(true);
    sim.answer_all(&Ok(report("done")));
}

fn found(orders: &[(u64, &str)]) -> Vec<(u64, String)> {
    let found = orders.iter();
    found
        .map(|(id, status)| (*id, (*status).to_owned()))
        .collect()
}

#[test]
fn an_order_that_was_made_elsewhere_is_told_once_for_each_status() {
    let mut sim = listening(false);
    sim.socket_is_live(true);
    tell(&mut sim, 5, &["new", "new", "paid", "new", "paid", "done"]);
    let expected = found(&[(5, "new"), (5, "paid"), (5, "done")]);
    assert_eq!(discovered(&sim), expected);
    assert_eq!(sim.requests_sent(), 0, "it is not tracked by itself");
    // The game decides to track it.
    sim.track(OrderId(5));
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(OrderId(5)), 1);
}

#[test]
fn an_order_that_was_made_elsewhere_is_adopted_and_granted_if_the_game_wants_that() {
    let mut sim = listening(true);
    sim.socket_is_live(true);
    tell(&mut sim, 5, &["new"]);
    sim.answer_all(&Ok(report("new")));
    sim.pass(seconds(5));
    sim.publish_purchase(OrderId(5));
    assert_eq!(sim.grants(OrderId(5)), 1);
    assert_eq!(discovered(&sim), found(&[(5, "new")]));
    sim.acknowledge(OrderId(5));

    sim.restart();
    hear(&mut sim, &[(5, "new paid done")]);
    assert_eq!((sim.grants(OrderId(5)), discovered(&sim)), (0, vec![]));
}

#[test]
fn what_was_over_before_the_first_start_is_not_granted_and_what_came_later_is() {
    let mut sim = listening(true);
    tell(&mut sim, 1, &["new", "paid", "done"]);
    tell(&mut sim, 2, &["new", "paid", "done", "canceled"]);
    tell(&mut sim, 3, &["new", "paid"]);
    sim.socket_is_live(true);
    assert_eq!(discovered(&sim), found(&[(3, "paid")]));
    // A later start hears the same again, and what was bought meanwhile.
    for _ in 0..2 {
        sim.restart();
        hear(
            &mut sim,
            &[
                (1, "new paid done"),
                (2, "new paid done canceled"),
                (4, "new paid done"),
            ],
        );
        assert_eq!((sim.grants(OrderId(1)), sim.grants(OrderId(2))), (0, 0));
    }
    assert_eq!(sim.grants(OrderId(4)), 1);
}

#[test]
fn a_first_order_is_discovered_though_the_ledger_has_no_order_yet() {
    let mut sim = listening(true);
    sim.socket_is_live(true);
    sim.restart();
    hear(&mut sim, &[(4, "new paid done")]);
    assert_eq!(sim.grants(OrderId(4)), 1);
}

#[test]
fn the_past_is_discovered_if_the_game_asks_for_it() {
    let mut sim = listening(true);
    sim.config.discover_past_orders = true;
    let config = sim.config.clone();
    sim.configure(Some(config));
    hear(&mut sim, &[(1, "new paid done")]);
    assert_eq!(sim.grants(OrderId(1)), 1);
}

#[test]
fn an_order_that_is_paid_counts_as_past_where_paid_orders_are_granted() {
    for (grant_at, expected) in [(GrantAt::Done, 1), (GrantAt::Paid, 0)] {
        let mut sim = listening(true);
        sim.config.grant_at = grant_at;
        let config = sim.config.clone();
        sim.configure(Some(config));
        hear(&mut sim, &[(1, "new paid")]);
        assert_eq!(sim.grants(OrderId(1)), expected, "{grant_at:?}");
    }
}

#[test]
fn what_is_bought_before_the_ledger_was_read_is_not_of_the_past() {
    let mut sim = loading();
    sim.config.adopt_orders = true;
    sim.config.listen = Listen::WhileLoggedIn;
    sim.is_ledger_stuck = true;
    let input = Input::Configure(Some(Arc::new(sim.config.clone())));
    sim.machine.handle(input, sim.now);
    while let Some(output) = sim.machine.next_output() {
        if let Output::Connect { connection, .. } = output {
            sim.socket = Some(connection);
        }
    }
    tell(&mut sim, 1, &["new", "paid", "done"]);
    tell(&mut sim, 3, &["new"]);
    sim.socket_is_live(true);
    tell(&mut sim, 2, &["new", "paid", "done"]);
    tell(&mut sim, 3, &["paid", "done"]);
    // The socket drops and comes back.
    sim.socket_is_live(true);
    sim.is_ledger_stuck = false;
    sim.loaded(Vec::new());
    sim.answer_all(&Ok(report("done")));
    let granted = [1, 2, 3].map(|order_id| sim.grants(OrderId(order_id)));
    assert_eq!(granted, [0, 1, 1]);
}

#[test]
fn an_order_that_has_ended_when_it_is_first_heard_of_is_not_told() {
    let mut sim = listening(false);
    sim.socket_is_live(true);
    sim.restart();
    tell(&mut sim, 6, &["new", "canceled"]);
    tell(&mut sim, 7, &["new"]);
    sim.socket_is_live(true);
    tell(&mut sim, 7, &["expired"]);
    tell(&mut sim, 8, &["canceled"]);
    let expected = found(&[(7, "new"), (7, "expired")]);
    assert_eq!(discovered(&sim), expected);
}

#[test]
fn who_logs_out_before_the_ledger_was_read_is_not_granted_their_past_either() {
    let mut sim = listening(true);
    sim.log_out();
    let log_in = |sim: &mut Sim, number| {
        sim.machine.handle(
            Input::LogIn {
                user: token("alice", number),
                expires_in: None,
            },
            sim.now,
        );
        while let Some(output) = sim.machine.next_output() {
            match output {
                Output::Connect { connection, .. } => sim.socket = Some(connection),
                Output::Disconnect(_) => sim.socket = None,
                _ => {}
            }
        }
    };
    // Their purchase keeps them known.
    log_in(&mut sim, 8);
    sim.handle(Input::Purchase {
        id: PurchaseId::next(),
        user: alice(),
        purchase: Box::new("sword".into()),
    });
    tell(&mut sim, 1, &["new", "paid", "done"]);
    sim.socket_is_live(true);
    sim.log_out();
    log_in(&mut sim, 9);
    tell(&mut sim, 1, &["new", "paid", "done"]);
    sim.socket_is_live(true);
    sim.loaded(Vec::new());
    let Some(Output::Request { request, .. }) = sim.others.pop() else {
        panic!("the store is asked");
    };
    let answer = Answer::Created(Err(RequestError::TimedOut));
    sim.handle(Input::Answered { request, answer });
    sim.answer_all(&Ok(report("done")));
    assert_eq!((sim.grants(OrderId(1)), discovered(&sim)), (0, vec![]));
}

#[test]
fn who_comes_back_is_not_granted_their_past() {
    let mut sim = listening(true);
    sim.log_out();
    sim.log_in();
    tell(&mut sim, 1, &["new", "paid", "done"]);
    sim.socket_is_live(true);
    sim.log_out();
    sim.log_in();
    hear(&mut sim, &[(1, "new paid done")]);
    assert_eq!(sim.grants(OrderId(1)), 0);
}

#[test]
fn a_history_that_is_not_complete_makes_nothing_past() {
    let mut sim = listening(true);
    // The history was refused. The next connection tells what came since.
    sim.socket_is_subscribed(false, false);
    sim.socket_ends(lost());
    sim.pass(seconds(2));
    sim.socket_is_subscribed(true, false);
    sim.restart();
    hear(&mut sim, &[(1, "new paid done")]);
    assert_eq!(
        sim.grants(OrderId(1)),
        0,
        "it was over before the past was known"
    );
    assert!(discovered(&sim).is_empty());
}

#[test]
fn a_history_that_has_lost_its_beginning_tells_all_that_will_ever_be_told() {
    let mut sim = listening(true);
    tell(&mut sim, 1, &["done"]);
    sim.socket_is_subscribed(false, true);
    sim.restart();
    tell(&mut sim, 1, &["done"]);
    tell(&mut sim, 2, &["done"]);
    sim.socket_is_subscribed(false, true);
    sim.answer_all(&Ok(report("done")));
    assert_eq!((sim.grants(OrderId(1)), sim.grants(OrderId(2))), (0, 1));
}

#[test]
fn nothing_is_adopted_until_the_ledger_was_read() {
    for outcome in [LoadOutcome::Locked, LoadOutcome::Failed] {
        let mut sim = loading();
        sim.config.adopt_orders = true;
        sim.config.listen = Listen::WhileLoggedIn;
        let input = Input::Configure(Some(Arc::new(sim.config.clone())));
        sim.machine.handle(input, sim.now);
        while let Some(output) = sim.machine.next_output() {
            if let Output::Connect { connection, .. } = output {
                sim.socket = Some(connection);
            }
        }
        let load = |outcome, orders| {
            Input::Ledger(LedgerReport::Loaded {
                project_id: 77_640,
                user: alice(),
                orders,
                outcome,
            })
        };
        sim.handle(load(outcome, Vec::new()));
        sim.publish(ORDER, "new");
        sim.socket_is_live(true);
        sim.publish(ORDER, "done");
        sim.pass(seconds(60));
        assert_eq!(sim.requests_sent(), 0, "{outcome:?}");
        // It turns out that the game was given it in an earlier run.
        sim.handle(load(LoadOutcome::Read, known(LedgerEntry::Acknowledged)));
        sim.answer_all(&Ok(report("done")));
        assert_eq!((sim.grants(ORDER), discovered(&sim)), (0, vec![]));
    }
}

#[test]
fn the_order_of_a_purchase_is_not_discovered_before_the_store_has_answered() {
    let mut sim = listening(false);
    sim.socket_is_live(true);
    sim.handle(Input::Purchase {
        id: PurchaseId::next(),
        user: alice(),
        purchase: Box::new("sword".into()),
    });
    sim.publish(ORDER, "new");
    let Some(Output::Request { request, .. }) = sim.others.pop() else {
        panic!("the store is asked");
    };
    let answer = Answer::Created(Ok(CreatedOrder {
        order_id: ORDER,
        token: None,
    }));
    sim.handle(Input::Answered { request, answer });
    assert!(discovered(&sim).is_empty());
    // The answer of another one is lost, and the order turns up.
    sim.handle(Input::Purchase {
        id: PurchaseId::next(),
        user: alice(),
        purchase: Box::new("shield".into()),
    });
    sim.publish(OrderId(9), "new");
    let Some(Output::Request { request, .. }) = sim.others.pop() else {
        panic!("the store is asked");
    };
    let answer = Answer::Created(Err(RequestError::TimedOut));
    sim.handle(Input::Answered { request, answer });
    assert_eq!(discovered(&sim), found(&[(9, "new")]));
}

#[test]
fn a_ledger_that_is_lost_is_told_the_past_again() {
    let mut sim = listening(true);
    tell(&mut sim, 1, &["done"]);
    sim.socket_is_live(true);
    sim.ledger.clear();
    sim.handle(Input::Ledger(LedgerReport::Lost));
    sim.restart();
    hear(&mut sim, &[(1, "done"), (2, "done")]);
    assert_eq!((sim.grants(OrderId(1)), sim.grants(OrderId(2))), (0, 1));
}

/// Ends the process, and starts one in which the socket tells this of an order. Returns how often it was granted.
fn grants_at_next_start(sim: &mut Sim, order_id: u64, statuses: &str) -> usize {
    sim.restart();
    hear(sim, &[(order_id, statuses)]);
    sim.grants(OrderId(order_id))
}

#[test]
fn the_past_is_recorded_though_the_game_begins_to_listen_later() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    tell(&mut sim, 1, &["done"]);
    sim.socket_is_live(true);
    assert!(!sim.ledger.contains_key(&OrderId(1)));
    sim.config.listen = Listen::WhileLoggedIn;
    sim.config.adopt_orders = true;
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim.socket_is_live(true);
    assert_eq!(grants_at_next_start(&mut sim, 1, "done"), 0);
    assert_eq!(grants_at_next_start(&mut sim, 2, "done"), 1);
}

#[test]
fn without_a_history_each_status_of_an_order_is_told_that_was_heard_of_in_time() {
    for grant_at in [GrantAt::Done, GrantAt::Paid] {
        let mut sim = listening(false);
        sim.config.grant_at = grant_at;
        let config = sim.config.clone();
        sim.configure(Some(config));
        sim.socket_is_subscribed(false, false);
        tell(&mut sim, 1, &["new", "paid", "done"]);
        tell(&mut sim, 2, &["done"]);
        let expected = found(&[(1, "new"), (1, "paid"), (1, "done")]);
        assert_eq!(discovered(&sim), expected, "{grant_at:?}");
    }
}

#[test]
fn an_order_is_told_as_far_as_it_has_come_though_news_overtakes_the_history() {
    let mut sim = listening(false);
    sim.socket_is_live(true);
    sim.restart();
    tell(&mut sim, 1, &["done", "new", "paid"]);
    tell(&mut sim, 2, &["canceled", "new", "paid"]);
    sim.socket_is_live(true);
    assert_eq!(discovered(&sim), found(&[(1, "done")]));
}

#[test]
fn of_a_flood_of_unknown_orders_each_publication_is_looked_at_once() {
    let mut sim = listening(false);
    sim.socket_is_live(true);
    // To look at all of them each time would take minutes.
    for order_id in 1..=200_000 {
        sim.publish(OrderId(order_id), "new");
    }
    let told = discovered(&sim);
    assert!(told.len() > 8_000 && told.is_sorted(), "{}", told.len());
}

#[test]
fn what_the_game_has_forgotten_does_not_pass_for_all_of_the_past() {
    let mut sim = Sim::new();
    // An open order keeps the player known when they log out.
    sim.track(ORDER);
    sim.track(OrderId(9));
    tell(&mut sim, 1, &["done"]);
    sim.socket_is_live(true);
    sim.config.adopt_orders = true;
    sim.config.listen = Listen::WhileLoggedIn;
    let config = sim.config.clone();
    sim.configure(Some(config));
    // The ledger has it before the rest of the past is recorded.
    sim.untrack(OrderId(9));
    sim.log_out();
    sim.log_in();
    sim.socket_is_live(true);
    assert_eq!(grants_at_next_start(&mut sim, 2, "done"), 1);
}
