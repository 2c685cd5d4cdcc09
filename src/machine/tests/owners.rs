//! Tests of orders that move between players, projects and instances of the game.

use super::*;

/// Returns the first output at or after this one that erases an order of the player.
fn erases(outputs: &[Output], of: &UserId) -> Option<usize> {
    outputs
        .iter()
        .position(|output| matches!(output, Output::Erase { user, .. } if user == of))
}

#[test]
fn an_order_that_comes_back_to_its_first_player_stays_in_their_ledger() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    let input = Input::TrackAs {
        user: token("bob", 1),
        expires_in: None,
        order_id: ORDER,
    };
    // Bob's ledger is being read meanwhile.
    sim.machine.handle(input, sim.now);
    sim.machine.handle(Input::Untrack(ORDER), sim.now);
    sim.outputs();
    let (user, order_id) = (alice(), ORDER);
    sim.machine.handle(Input::Track { user, order_id }, sim.now);
    sim.machine
        .handle(sim.recording(LedgerEntry::Open, None), sim.now);
    let outputs = sim.outputs();
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Record { user, .. } if *user == alice()))
    );
    assert_eq!(erases(&outputs, &alice()), None, "{outputs:?}");
}

#[test]
fn an_order_that_moves_and_is_put_off_leaves_the_first_players_ledger() {
    for puts_off in [Input::Abandon(ORDER), Input::Untrack(ORDER)] {
        let mut sim = Sim::new();
        sim.track(ORDER);
        let bob = token("bob", 1);
        let input = Input::TrackAs {
            user: bob.clone(),
            expires_in: None,
            order_id: ORDER,
        };
        sim.machine.handle(input, sim.now);
        let loaded = LedgerReport::Loaded {
            project_id: sim.project(),
            user: bob.id().clone(),
            orders: Vec::new(),
            outcome: LoadOutcome::Read,
        };
        sim.machine.handle(Input::Ledger(loaded), sim.now);
        sim.machine.handle(puts_off, sim.now);
        sim.machine
            .handle(sim.recording(LedgerEntry::Open, None), sim.now);
        let outputs = sim.outputs();
        assert!(erases(&outputs, &alice()).is_some(), "{outputs:?}");
    }
}

/// Makes a machine whose ledger another instance of the game holds.
fn locked() -> Sim {
    let mut sim = loading();
    sim.handle(Input::Ledger(LedgerReport::Loaded {
        project_id: sim.project(),
        user: alice(),
        orders: Vec::new(),
        outcome: LoadOutcome::Locked,
    }));
    sim
}

#[test]
fn an_order_of_this_run_that_was_put_off_is_granted_though_the_ledger_is_held_elsewhere() {
    let mut sim = locked();
    sim.track(ORDER);
    sim.track(OrderId(2));
    sim.answer_all(&Ok(report("new")));
    sim.socket_is_live(true);
    sim.handle(Input::Abandon(ORDER));
    sim.publish(ORDER, "paid");
    sim.answer_all(&Ok(report("paid")));
    sim.publish(ORDER, "done");
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn news_of_an_order_that_a_late_ledger_restores_is_told_after_its_phase() {
    let mut sim = locked();
    sim.track(OrderId(2));
    sim.answer_all(&Ok(report("new")));
    sim.socket_is_live(true);
    sim.publish(ORDER, "canceled");
    sim.loaded(known(LedgerEntry::Open));
    let told = |is_it: &dyn Fn(&Notice) -> bool| sim.notices.iter().position(is_it);
    let phase = told(
        &|n| matches!(n, Notice::Phase { order_id, phase: OrderPhase::Open, .. } if *order_id == ORDER),
    );
    let canceled = told(&|n| matches!(n, Notice::Canceled(_)));
    assert!(phase.is_some() && phase < canceled, "{:?}", sim.notices);
}

/// Tracks an order of which the ledger turns out to know what another player was told.
fn taken_over(before: LedgerEntry) -> Sim {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    sim.handle(Input::Ledger(LedgerReport::Recorded {
        project_id: sim.project(),
        order_id: ORDER,
        entry: LedgerEntry::Open,
        before: Some(before),
        is_written: true,
        claims: false,
    }));
    sim
}

#[test]
fn an_order_that_turns_out_to_be_acknowledged_when_it_is_recorded_is_not_granted() {
    let mut sim = taken_over(LedgerEntry::Acknowledged);
    let told = Notice::Phase {
        order_id: ORDER,
        user: alice(),
        phase: OrderPhase::Acknowledged,
    };
    assert!(sim.notices.contains(&told));
    sim.pass_answering(seconds(3600), &Ok(report("done")));
    assert_eq!((sim.grants(ORDER), sim.requests_sent()), (0, 1));
    assert!(sim.machine.is_idle());

    let mut sim = taken_over(LedgerEntry::Acknowledged);
    sim.pass_answering(seconds(60), &Ok(report("canceled")));
    assert!(was_told_a_refund(&sim));
}

#[test]
fn the_cancellation_of_an_order_that_another_player_was_granted_is_a_refund() {
    let mut sim = taken_over(LedgerEntry::Granted);
    sim.pass_answering(seconds(60), &Ok(report("canceled")));
    assert!(was_told_a_refund(&sim));

    let mut sim = taken_over(LedgerEntry::Granted);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1, "it was never acknowledged");
}

#[test]
fn a_ledger_that_turns_out_late_to_have_an_order_as_acknowledged_is_believed() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    // The ledger is not waited for any longer.
    sim.pass_answering(seconds(30), &Ok(report("new")));
    sim.handle(sim.recording(LedgerEntry::Open, Some(LedgerEntry::Acknowledged)));
    sim.pass_answering(seconds(3600), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);
}

#[test]
fn a_ledger_that_has_lost_its_entries_is_told_all_of_them_again() {
    let mut sim = Sim::new();
    let [open, granted, acknowledged] = [1, 2, 3].map(OrderId);
    for order_id in [granted, acknowledged] {
        sim.track(order_id);
        sim.answer_all(&Ok(report("done")));
    }
    sim.acknowledge(acknowledged);
    sim.track(open);
    sim.answer_all(&Ok(report("new")));
    // What is known of players who have logged out is told as well.
    sim.log_out();
    let known = std::mem::take(&mut sim.ledger);
    sim.handle(Input::Ledger(LedgerReport::Lost));
    let entries = |ledger: &BTreeMap<OrderId, (LedgerEntry, Duration)>| -> Vec<LedgerEntry> {
        ledger.values().map(|(entry, _)| *entry).collect()
    };
    let expected = [
        LedgerEntry::Open,
        LedgerEntry::Granted,
        LedgerEntry::Acknowledged,
    ];
    assert_eq!(entries(&known), expected);
    assert_eq!(entries(&sim.ledger), expected);
}

#[test]
fn what_the_ledger_says_of_another_projects_order_of_the_same_id_does_not_count() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    let earlier = sim.project() + 1;
    sim.handle(Input::Ledger(LedgerReport::Recorded {
        project_id: earlier,
        order_id: ORDER,
        entry: LedgerEntry::Open,
        before: Some(LedgerEntry::Acknowledged),
        is_written: true,
        claims: false,
    }));
    sim.handle(Input::Ledger(LedgerReport::Loaded {
        project_id: earlier,
        user: alice(),
        orders: known(LedgerEntry::Acknowledged),
        outcome: LoadOutcome::Read,
    }));
    assert_eq!(sim.requests_sent(), 0, "it is not recorded yet");
    sim.recorded(ORDER, LedgerEntry::Open);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn what_another_instance_granted_while_the_player_was_away_is_not_granted_again() {
    let mut sim = live_with(&[ORDER]);
    sim.log_out();
    // The other instance grants the order to the same player, who acknowledges it there.
    sim.ledger
        .insert(ORDER, (LedgerEntry::Acknowledged, sim.now));
    sim.log_in();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);
}

#[test]
fn an_order_that_was_acknowledged_elsewhere_is_not_granted_while_the_ledger_is_late() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    // The machine sleeps while the order is being written, and again while the ledger is waited for.
    for _ in 0..2 {
        sim.now += seconds(3600);
        sim.answer_all(&Ok(report("done")));
        assert_eq!(sim.grants(ORDER), 0);
    }
    sim.handle(sim.recording(LedgerEntry::Open, Some(LedgerEntry::Acknowledged)));
    sim.pass_answering(seconds(120), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);

    // A disk that stays silent is not waited for without end.
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.track(ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}
