//! Tests of what a restart keeps.

use super::*;

#[test]
fn an_order_is_in_the_ledger_before_anything_is_done_about_it() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    sim.pass(seconds(4));
    assert_eq!((sim.requests_sent(), sim.sockets_opened), (0, 0));
    sim.recorded(ORDER, LedgerEntry::Open);
    sim.tick();
    assert_eq!((sim.requests_sent(), sim.sockets_opened), (1, 1));
}

#[test]
fn the_game_hears_nothing_of_an_order_that_the_ledger_does_not_have_yet() {
    let mut sim = Sim::new();
    sim.track(OrderId(2));
    sim.socket_is_live(true);
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    sim.publish(ORDER, "paid");
    // If the process ended now, the game would wait for an order that nobody remembers.
    assert_eq!(sim.statuses(), Vec::<String>::new());
    sim.recorded(ORDER, LedgerEntry::Open);
    assert_eq!(sim.statuses(), ["paid"]);
}

#[test]
fn an_order_paid_while_the_game_was_closed_is_granted_at_the_next_start() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("new")));
    sim.now += seconds(8 * 3600);
    sim.restart();
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_grant_is_told_at_every_start_until_it_is_acknowledged_and_never_after() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    for _ in 0..3 {
        sim.answer_all(&Ok(report("done")));
        assert_eq!(sim.grants(ORDER), 1);
        sim.restart();
    }
    sim.answer_all(&Ok(report("done")));
    sim.acknowledge(ORDER);
    sim.restart();
    // The order is not granted even if the game tracks it again.
    sim.track(ORDER);
    sim.pass_answering(seconds(600), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);
}

#[test]
fn nothing_in_the_ledger_grants() {
    for entry in [
        LedgerEntry::Open,
        LedgerEntry::Granted,
        LedgerEntry::Acknowledged,
    ] {
        let mut sim = Sim::new();
        sim.ledger.insert(ORDER, (entry, sim.now));
        sim.restart();
        sim.pass_answering(seconds(600), &Ok(report("new")));
        assert_eq!(sim.grants(ORDER), 0, "{entry:?}");
    }
}

#[test]
fn an_acknowledgement_is_told_once_it_is_in_the_ledger() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    sim.is_ledger_stuck = true;
    sim.acknowledge(ORDER);
    let told = Notice::Phase {
        order_id: ORDER,
        user: alice(),
        phase: OrderPhase::Acknowledged,
    };
    assert!(!sim.notices.contains(&told));
    sim.recorded(ORDER, LedgerEntry::Acknowledged);
    assert!(sim.notices.contains(&told));
}

#[test]
fn a_refund_is_told_though_the_game_was_closed_when_it_happened() {
    for is_acknowledged in [false, true] {
        let mut sim = Sim::new();
        sim.track(ORDER);
        sim.answer_all(&Ok(report("done")));
        if is_acknowledged {
            sim.acknowledge(ORDER);
        }
        sim.restart();
        sim.pass_answering(seconds(60), &Ok(report("canceled")));
        assert_eq!(sim.canceled(), [(ORDER, true)]);
        // The refund is told again until the game has had a frame to hear it.
        sim.restart();
        sim.pass_answering(seconds(60), &Ok(report("canceled")));
        assert_eq!(sim.canceled(), [(ORDER, true)]);
        sim.delivered(ORDER);
        assert_eq!(sim.ledger[&ORDER].0, LedgerEntry::Canceled);
        assert!(sim.machine.is_idle());
        // Nothing that comes later tells it once more.
        sim.restart();
        sim.track(ORDER);
        sim.pass_answering(seconds(60), &Ok(report("canceled")));
        assert_eq!(sim.canceled(), []);
    }
}

#[test]
fn a_refund_that_is_told_after_a_restart_lists_the_items_of_the_answer() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    sim.acknowledge(ORDER);
    sim.restart();
    sim.pass_answering(seconds(60), &Ok(report("canceled")));
    let told = sim.notices.iter().find_map(|notice| match notice {
        Notice::Canceled(canceled) => Some(&canceled.items),
        _ => None,
    });
    assert_eq!(told, Some(&sword()));
}

#[test]
fn a_wrong_calendar_at_the_start_gives_no_order_up_and_removes_none_that_is_paid() {
    let mut sim = Sim::unconfigured();
    // The entry seems to be a hundred days old.
    let config = sim.config.clone();
    sim.now += seconds(100 * 24 * 3600);
    sim.ledger
        .insert(ORDER, (LedgerEntry::Open, Duration::ZERO));
    sim.configure(Some(config));
    sim.log_in();
    sim.pass_answering(seconds(23 * 3600), &Ok(report("new")));
    assert!(sim.failures().is_empty(), "it waits as long as a new order");
    sim.pass_answering(seconds(30), &Ok(report("paid")));
    assert!(sim.ledger.contains_key(&ORDER));
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn acknowledged_orders_are_asked_for_once_a_start_and_one_after_the_other() {
    let mut sim = Sim::new();
    for n in 0..50 {
        sim.ledger
            .insert(OrderId(n), (LedgerEntry::Acknowledged, sim.now));
    }
    sim.restart();
    assert_eq!(*sim.state(), TrackerState::Idle);
    sim.pass_answering(seconds(600), &Ok(report("done")));
    assert_eq!((sim.requests_sent(), sim.sockets_opened), (50, 0));
    let gaps = sim.sent.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.min() >= Some(seconds(3)));
    assert!(sim.machine.is_idle());
}

#[test]
fn an_untracked_order_is_forgotten_by_the_ledger_too() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.untrack(ORDER);
    assert!(sim.ledger.is_empty());
}

#[test]
fn an_unpaid_order_leaves_the_ledger_after_thirty_days_and_a_paid_one_stays() {
    for (status, days, stays) in [("new", 20, true), ("new", 31, false), ("paid", 400, true)] {
        let mut sim = Sim::new();
        sim.track(ORDER);
        sim.answer_all(&Ok(report(status)));
        sim.now += seconds(days * 24 * 3600);
        sim.restart();
        // This run waits for the order as long as the first one.
        sim.pass_answering(seconds(23 * 3600), &Ok(report(status)));
        assert!(sim.failures().is_empty(), "{status}");
        sim.pass_answering(seconds(2 * 3600), &Ok(report(status)));
        assert_eq!(sim.failures().is_empty(), status == "paid", "{status}");
        sim.delivered(ORDER);
        assert_eq!(sim.ledger.contains_key(&ORDER), stays, "{status}, {days}");
    }
}

#[test]
fn a_voucher_that_is_paid_after_the_order_was_given_up_is_granted() {
    // The payment is heard of over the socket, at the next start, or when the socket opens for another
    // purchase.
    for way in 0..3 {
        let mut sim = Sim::new();
        sim.track(ORDER);
        sim.pass_answering(seconds(25 * 3600), &Ok(report("new")));
        assert_eq!(sim.failures().len(), 1);
        sim.delivered(ORDER);
        assert_eq!((sim.socket, sim.machine.is_idle()), (None, true));
        sim.pass(seconds(2 * 24 * 3600));
        let other = OrderId(2);
        match way {
            0 => {
                sim.track(other);
                sim.publish(ORDER, "paid");
            }
            1 => sim.restart(),
            _ => {
                sim.track(other);
                sim.tick();
                sim.answer(Ok(report("new")));
                sim.socket_is_live(true);
            }
        }
        sim.pass_answering(seconds(60), &Ok(report("done")));
        assert_eq!(sim.grants(ORDER), 1, "way {way}");
    }
}

#[test]
fn what_was_paid_is_never_given_up() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.pass_answering(seconds(10 * 24 * 3600), &Ok(report("paid")));
    assert!(sim.failures().is_empty());
    sim.pass_answering(seconds(120), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn an_old_order_is_not_given_up_before_a_server_was_asked() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.now += seconds(5 * 24 * 3600);
    sim.restart();
    sim.pass_answering(seconds(3600), &Err(http(503)));
    assert!(sim.failures().is_empty());
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn another_players_orders_stay_where_they_are() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.log_out();
    let bob = token("bob", 1);
    let input = Input::LogIn {
        user: bob.clone(),
        expires_in: None,
    };
    sim.machine.handle(input, sim.now);
    let is_load = |output: &Output| matches!(output, Output::Load(user) if user == bob.id());
    assert_eq!(
        sim.outputs()
            .iter()
            .filter(|output| is_load(output))
            .count(),
        1
    );
    let nothing = LedgerReport::Loaded {
        project_id: sim.project(),
        user: bob.id().clone(),
        orders: Vec::new(),
        outcome: LoadOutcome::Read,
    };
    sim.machine.handle(Input::Ledger(nothing), sim.now);
    sim.machine.tick(sim.now + seconds(3600));
    let outputs = sim.outputs();
    let is_request = |output: &Output| matches!(output, Output::Request { .. });
    assert!(!outputs.iter().any(is_request), "{outputs:?}");
}

#[test]
fn the_end_of_a_token_is_told_ahead_and_once() {
    let mut sim = Sim::new();
    let ahead = sim.config.token_notice;
    sim.log_in_for(Some(seconds(3600)));
    sim.pass(seconds(3600) - ahead - seconds(1));
    assert_eq!(sim.authorizations_required(), 0);
    sim.pass(seconds(2));
    assert_eq!(sim.authorizations_required(), 1);
    sim.track(ORDER);
    sim.pass_answering(seconds(3600), &Err(http(401)));
    assert_eq!(sim.authorizations_required(), 1);
}

#[test]
fn an_hour_asleep_is_made_up_for_at_once() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("new")));
    sim.socket_is_live(true);
    let (requests, sockets) = (sim.requests_sent(), sim.sockets_opened);
    sim.now += seconds(3600);
    sim.tick();
    assert_eq!(sim.requests_sent(), requests + 1);
    assert_eq!(sim.sockets_opened, sockets + 1);
    sim.answer(Ok(report("done")));
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
fn an_order_that_is_forgotten_does_not_come_back_from_a_ledger_that_is_read_again_or_late() {
    // The player returns, and untracks the order while the ledger is read again.
    let mut sim = live_with(&[ORDER]);
    sim.log_out();
    let user = token("alice", 9);
    let input = Input::LogIn {
        user,
        expires_in: None,
    };
    sim.machine.handle(input, sim.now);
    sim.machine.handle(Input::Untrack(ORDER), sim.now);
    sim.outputs();
    sim.loaded(known(LedgerEntry::Open));
    let asked = sim.requests_sent();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!((sim.grants(ORDER), sim.requests_sent()), (0, asked));

    // The ledger hangs, and has the order when it answers at last.
    let mut sim = loading();
    sim.untrack(ORDER);
    sim.pass(seconds(10));
    sim.loaded(known(LedgerEntry::Open));
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);

    // Nobody is logged in yet.
    let mut sim = live_with(&[ORDER]);
    sim.restart_logged_out();
    sim.untrack(ORDER);
    sim.log_in();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);
    // It is erased as soon as the ledger has told whose it is, and followed once it is tracked again.
    sim.restart();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);
    sim.track(ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn an_order_that_waits_for_a_silent_ledger_is_granted_after_a_change_of_the_project_and_back() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    sim.pass_answering(seconds(10), &Ok(report("paid")));
    let config = sim.config.clone();
    let mut other = sim.config.clone();
    other.project_id += 1;
    sim.configure(Some(other));
    sim.pass(seconds(1));
    sim.configure(Some(config));
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_ledger_that_moves_is_believed_before_what_the_earlier_one_said() {
    let mut sim = live_with(&[ORDER]);
    // The new ledger has the order as acknowledged, and answers after the news.
    let mut config = sim.config.clone();
    config.ledger = Ledger::at("elsewhere");
    sim.machine
        .handle(Input::Configure(Some(Arc::new(config))), sim.now);
    // The read is not answered yet.
    sim.outputs();
    sim.publish(ORDER, "paid");
    sim.pass_answering(seconds(2), &Ok(report("done")));
    sim.loaded(known(LedgerEntry::Acknowledged));
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);
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

#[test]
fn an_order_that_was_given_up_is_asked_for_when_its_player_comes_back() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    while sim.failures().is_empty() {
        sim.pass_answering(seconds(3600), &Ok(report("new")));
    }
    sim.log_out();
    assert!(sim.machine.players.is_empty());
    sim.log_in();
    sim.track(OrderId(2));
    sim.answer_all(&Ok(report("new")));
    sim.socket_is_live(true);
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}
