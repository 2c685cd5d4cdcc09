//! Orders that the game has untracked, or that have ended, are not discovered again.

use super::*;

#[test]
fn an_order_that_the_game_has_forgotten_is_not_adopted_again() {
    let mut sim = listening(true);
    sim.socket_is_live(true);
    tell(&mut sim, 5, &["new"]);
    sim.answer_all(&Ok(report("new")));
    sim.pass(seconds(5));
    sim.publish_purchase(OrderId(5));
    sim.acknowledge(OrderId(5));
    sim.untrack(OrderId(5));
    tell(&mut sim, 5, &["new", "paid", "done"]);
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(OrderId(5)), 1);
    sim.restart();
    hear(&mut sim, &[(5, "new paid done")]);
    assert_eq!(sim.grants(OrderId(5)), 0);
    // The game can still track it.
    sim.track(OrderId(5));
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(OrderId(5)), 1);
}

/// Makes a machine whose ledger knows the past and has an order that was granted and acknowledged.
fn with_granted_order() -> Sim {
    let mut sim = listening(true);
    sim.socket_is_live(true);
    tell(&mut sim, 5, &["new"]);
    sim.answer_all(&Ok(report("new")));
    sim.pass(seconds(5));
    sim.publish_purchase(OrderId(5));
    sim.acknowledge(OrderId(5));
    sim
}

#[test]
fn an_order_that_is_forgotten_while_its_player_is_away_is_not_adopted_again() {
    let mut sim = with_granted_order();
    sim.log_out();
    sim.untrack(OrderId(5));
    assert_eq!(grants_at_next_start(&mut sim, 5, "done"), 0);

    // It is forgotten before anybody logs in, or while the ledger is being read.
    for is_logged_in in [false, true] {
        let mut sim = with_granted_order();
        sim.restart_logged_out();
        if is_logged_in {
            let user = token("alice", 7);
            let expires_in = None;
            sim.machine
                .handle(Input::LogIn { user, expires_in }, sim.now);
        }
        sim.machine.handle(Input::Untrack(OrderId(5)), sim.now);
        sim.collect();
        sim.log_in();
        hear(&mut sim, &[(5, "done")]);
        assert_eq!(sim.grants(OrderId(5)), 0);
        assert_eq!(grants_at_next_start(&mut sim, 5, "done"), 0);
    }
}

#[test]
fn an_order_that_is_forgotten_is_not_adopted_again_where_the_past_is_discovered() {
    let mut sim = with_granted_order();
    sim.config.discover_past_orders = true;
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim.untrack(OrderId(5));
    hear(&mut sim, &[(5, "done")]);
    assert_eq!(sim.grants(OrderId(5)), 1);
    assert_eq!(grants_at_next_start(&mut sim, 5, "done"), 0);
}

#[test]
fn an_order_that_ended_is_not_told_again_at_each_start() {
    let mut sim = listening(true);
    sim.socket_is_live(true);
    tell(&mut sim, 5, &["new"]);
    // The channel never tells of its end.
    sim.answer_all(&Ok(report("expired")));
    sim.delivered(OrderId(5));
    assert_eq!(grants_at_next_start(&mut sim, 5, "new"), 0);
    assert!(discovered(&sim).is_empty());
}

#[test]
fn an_order_that_is_forgotten_before_there_is_news_of_it_is_not_told() {
    let mut sim = listening(true);
    sim.socket_is_live(true);
    sim.untrack(OrderId(5));
    tell(&mut sim, 5, &["new", "paid", "done"]);
    assert!(discovered(&sim).is_empty());
    // The game wants it after all.
    sim.track(OrderId(5));
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(OrderId(5)), 1);
}
