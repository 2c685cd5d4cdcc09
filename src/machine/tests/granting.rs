//! Tests of the status at which an order is granted.

use super::*;
use crate::model::config::GrantAt;

/// Makes a machine that is told to grant orders at this status, with an order and a live socket.
fn granting_at(grant_at: GrantAt) -> Sim {
    let mut sim = live_with(&[ORDER]);
    sim.config.grant_at = grant_at;
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim.answer_all(&Ok(report("new")));
    sim.socket_is_live(true);
    sim.pass(seconds(5));
    sim
}

#[test]
fn an_order_is_granted_once_at_the_status_that_the_game_has_chosen() {
    for (grant_at, at_paid) in [(GrantAt::Done, 0), (GrantAt::Paid, 1)] {
        let mut sim = granting_at(grant_at);
        sim.publish(ORDER, "paid");
        assert_eq!(sim.grants(ORDER), 0, "its items may have changed");
        sim.answer_all(&Ok(report("paid")));
        assert_eq!(sim.grants(ORDER), at_paid, "{grant_at:?}");
        sim.publish(ORDER, "done");
        sim.answer_all(&Ok(report("done")));
        assert_eq!(sim.grants(ORDER), 1, "{grant_at:?}");
        assert_eq!(sim.statuses(), ["new", "paid", "done"], "{grant_at:?}");
        sim.publish(ORDER, "canceled");
        assert!(was_told_a_refund(&sim), "{grant_at:?}");
    }
}

#[test]
fn an_order_that_is_granted_at_paid_is_asked_for_until_its_items_are_told() {
    let mut sim = granting_at(GrantAt::Paid);
    sim.publish(ORDER, "paid");
    // The answer lags behind the socket, which has nothing more to tell.
    sim.pass_answering(seconds(2), &Ok(report("new")));
    assert_eq!(sim.grants(ORDER), 0);
    sim.socket_is_live(true);
    sim.pass_answering(seconds(10), &Ok(report("paid")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn an_order_that_was_granted_at_paid_is_granted_again_after_a_restart_until_it_is_acknowledged() {
    let mut sim = granting_at(GrantAt::Paid);
    sim.publish(ORDER, "paid");
    sim.answer_all(&Ok(report("paid")));
    assert_eq!(sim.grants(ORDER), 1);
    sim.restart();
    sim.answer_all(&Ok(report("paid")));
    assert_eq!(sim.grants(ORDER), 1);
    sim.acknowledge(ORDER);
    sim.restart();
    sim.pass_answering(seconds(30), &Ok(report("paid")));
    assert_eq!(sim.grants(ORDER), 0);
}

#[test]
fn an_order_that_was_granted_at_paid_does_not_expire() {
    let mut sim = granting_at(GrantAt::Paid);
    sim.publish(ORDER, "paid");
    sim.answer_all(&Ok(report("paid")));
    sim.publish(ORDER, "expired");
    sim.acknowledge(ORDER);
    assert_eq!((sim.grants(ORDER), sim.statuses().len()), (1, 2));
    sim.restart();
    assert!(sim.machine.orders[&ORDER].phase.is_acknowledged());
}
