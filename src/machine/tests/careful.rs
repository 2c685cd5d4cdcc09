//! Ledgers that are late, silent or moved, players of a server who come and go, orders that are
//! forgotten too early.

use super::*;

/// A server: nobody is logged in for good.
fn server() -> Sim {
    let mut sim = Sim::unconfigured();
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim
}

fn track_as(sim: &mut Sim, order_id: OrderId) {
    sim.handle(Input::TrackAs {
        user: token("alice", 1),
        expires_in: None,
        order_id,
    });
}

fn known(entry: LedgerEntry) -> Vec<Restored> {
    vec![Restored {
        order_id: ORDER,
        entry,
        age: seconds(5),
    }]
}

fn was_told_a_refund(sim: &Sim) -> bool {
    let is_refund = |n: &Notice| matches!(n, Notice::Canceled(canceled) if canceled.was_done);
    sim.notices.iter().any(is_refund)
}

#[test]
fn an_order_that_is_being_written_outlives_the_end_of_its_players_last_open_one() {
    let (first, second) = (OrderId(1), OrderId(2));
    let mut sim = server();
    track_as(&mut sim, first);
    sim.tick();
    sim.is_ledger_stuck = true;
    track_as(&mut sim, second);
    sim.answer(Ok(report("done")));
    sim.is_ledger_stuck = false;
    sim.recorded(second, LedgerEntry::Open);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(second), 1);
}

#[test]
fn a_server_tracks_an_order_again_that_was_given_up() {
    let mut sim = server();
    track_as(&mut sim, ORDER);
    sim.pass_answering(seconds(120), &Err(http(404)));
    assert_eq!(sim.failures().len(), 1);
    track_as(&mut sim, ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn players_of_a_server_are_forgotten_with_their_last_order() {
    let mut sim = server();
    track_as(&mut sim, ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert!(sim.machine.players.is_empty());
    track_as(&mut sim, ORDER);
    assert!(sim.machine.players.is_empty(), "that one is over");
    assert!(sim.machine.is_idle());
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
fn an_old_order_that_the_servers_do_not_find_today_stays_in_the_ledger() {
    for (entry, status) in [(LedgerEntry::Granted, "done"), (LedgerEntry::Open, "paid")] {
        let mut sim = Sim::new();
        sim.ledger.insert(ORDER, (entry, sim.now));
        sim.now += seconds(25 * 3600);
        sim.restart();
        sim.pass_answering(seconds(120), &Err(http(404)));
        assert_eq!(sim.failures().len(), 1);
        sim.delivered(ORDER);
        assert!(sim.ledger.contains_key(&ORDER), "{status}");
    }
}

#[test]
fn that_an_order_was_granted_is_not_forgotten_when_it_is_tracked_again() {
    let mut sim = Sim::new();
    sim.ledger.insert(ORDER, (LedgerEntry::Granted, sim.now));
    sim.restart();
    sim.pass_answering(seconds(120), &Err(http(404)));
    sim.track(ORDER);
    sim.restart();
    sim.pass_answering(seconds(60), &Ok(report("canceled")));
    assert!(was_told_a_refund(&sim));
}

#[test]
fn an_order_that_is_forgotten_while_the_ledger_is_read_does_not_come_back() {
    for tracks_first in [true, false] {
        let mut sim = loading();
        if tracks_first {
            sim.track(ORDER);
        }
        sim.untrack(ORDER);
        sim.loaded(known(LedgerEntry::Open));
        sim.pass(seconds(60));
        assert_eq!(sim.requests_sent(), 0);
    }
}

#[test]
fn a_ledger_that_is_read_late_still_knows_what_was_acknowledged_and_granted() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.loaded(known(LedgerEntry::Acknowledged));
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);

    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.loaded(known(LedgerEntry::Granted));
    sim.pass_answering(seconds(60), &Ok(report("canceled")));
    assert!(was_told_a_refund(&sim));
}

#[test]
fn a_disk_that_does_not_answer_is_said_and_not_waited_for() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    assert_eq!(*sim.state(), TrackerState::Connecting);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
    assert!(sim.is_ledger_silent());

    let mut sim = loading();
    sim.track(ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_ledger_that_moves_takes_the_open_orders_along() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("new")));
    let mut config = sim.config.clone();
    config.ledger = Ledger::at("/elsewhere");
    sim.ledger.clear();
    sim.configure(Some(config));
    assert!(sim.ledger.contains_key(&ORDER));
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
fn beyond_the_refund_window_an_order_is_remembered_and_not_asked_for() {
    let mut sim = Sim::new();
    sim.ledger
        .insert(ORDER, (LedgerEntry::Acknowledged, sim.now));
    sim.now += seconds(31 * 24 * 3600);
    sim.restart();
    sim.track(ORDER);
    sim.pass_answering(seconds(600), &Ok(report("done")));
    assert_eq!((sim.grants(ORDER), sim.requests_sent()), (0, 0));
}
