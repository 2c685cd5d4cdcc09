//! Tests of a server whose ledger is shared. `fleet` plays several.

use super::*;
use crate::model::ledger::{LedgerStore, TakenOrder};
use crate::model::record::{LedgerChange, LedgerRecord};

/// It says that servers share the ledger, which is played by the tests.
pub(super) struct Shared;

impl LedgerStore for Shared {
    fn load(&mut self, _: u64, _: &UserId) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: &[LedgerChange]) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        Ok(Vec::new())
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// A server with alice logged in.
fn server() -> Sim {
    let mut sim = Sim::unconfigured();
    sim.config.ledger = Ledger::custom(Shared);
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim.log_in();
    sim
}

fn taken(entry: Option<LedgerEntry>) -> Input {
    Input::Ledger(LedgerReport::Taken(TakenOrder {
        project_id: 77_640,
        order_id: ORDER,
        entry,
    }))
}

/// The ledger's report that it has a claim of an order which another server had.
fn claimed() -> Input {
    Input::Ledger(LedgerReport::Recorded {
        project_id: 77_640,
        order_id: ORDER,
        entry: LedgerEntry::Open,
        before: Some(LedgerEntry::Open),
        is_written: true,
        claims: true,
    })
}

impl Sim {
    fn phases(&self) -> Vec<OrderPhase> {
        let phase = |notice: &Notice| match notice {
            Notice::Phase { phase, .. } => Some(phase.clone()),
            _ => None,
        };
        self.notices.iter().filter_map(phase).collect()
    }

    /// The claims that the machine makes when it is given this.
    fn claims(&mut self, input: Input) -> Vec<bool> {
        self.machine.handle(input, self.now);
        let claims = |output: &Output| match output {
            Output::Record { claims, .. } => Some(*claims),
            _ => None,
        };
        self.outputs().iter().filter_map(claims).collect()
    }
}

#[test]
fn the_game_is_told_to_grant_once_the_ledger_has_the_order_as_this_servers() {
    let mut sim = server();
    sim.track(ORDER);
    sim.is_ledger_stuck = true;
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 0);
    sim.recorded(ORDER, LedgerEntry::Open);
    assert_eq!(
        sim.grants(ORDER),
        0,
        "the ledger has only what it had before"
    );
    let unwritten = Input::Ledger(LedgerReport::Recorded {
        project_id: sim.project(),
        order_id: ORDER,
        entry: LedgerEntry::Granted,
        before: None,
        is_written: false,
        claims: false,
    });
    sim.handle(unwritten);
    assert_eq!(sim.grants(ORDER), 0);
    sim.recorded(ORDER, LedgerEntry::Granted);
    sim.recorded(ORDER, LedgerEntry::Granted);
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn what_another_server_has_acknowledged_is_not_granted() {
    let mut sim = server();
    sim.track(ORDER);
    sim.is_ledger_stuck = true;
    sim.answer_all(&Ok(report("done")));
    let acknowledged = sim.recording(LedgerEntry::Granted, Some(LedgerEntry::Acknowledged));
    sim.handle(acknowledged);
    assert_eq!(sim.grants(ORDER), 0);
    assert_eq!(sim.phases().last(), Some(&OrderPhase::Acknowledged));
}

#[test]
fn what_died_with_another_server_after_the_game_was_told_is_granted_here() {
    let mut sim = server();
    sim.ledger.insert(ORDER, (LedgerEntry::Granted, sim.now));
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn an_order_that_another_server_has_taken_is_forgotten_with_its_phase() {
    for (entry, phase) in [
        (Some(LedgerEntry::Open), OrderPhase::Elsewhere),
        (Some(LedgerEntry::Granted), OrderPhase::Elsewhere),
        (Some(LedgerEntry::Acknowledged), OrderPhase::Acknowledged),
        (Some(LedgerEntry::Canceled), OrderPhase::Ended),
    ] {
        let mut sim = server();
        sim.track(ORDER);
        sim.handle(taken(entry));
        assert_eq!(sim.phases().last(), Some(&phase));
        sim.publish(ORDER, "paid");
        sim.pass(seconds(60));
        assert_eq!(sim.requests_sent(), 0);
        assert!(sim.statuses().is_empty());
        // It can be taken back.
        sim.track(ORDER);
        sim.answer_all(&Ok(report("done")));
        assert_eq!(sim.grants(ORDER), 1);
    }
}

#[test]
fn an_order_that_the_ledger_has_lost_is_claimed_anew() {
    let mut sim = server();
    sim.track(ORDER);
    assert_eq!(sim.claims(taken(None)), [true]);
    sim.recorded(ORDER, LedgerEntry::Open);
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn what_was_asked_of_an_earlier_ledger_is_asked_of_the_next() {
    let mut sim = server();
    sim.track(ORDER);
    sim.is_ledger_stuck = true;
    sim.answer_all(&Ok(report("done")));
    // The database has another address, where the answer to the question does not come any more.
    sim.config.ledger = Ledger::custom(Shared);
    sim.is_ledger_stuck = false;
    let config = sim.config.clone();
    sim.configure(Some(config));
    assert_eq!(sim.grants(ORDER), 1);
    assert_eq!(sim.ledger[&ORDER].0, LedgerEntry::Granted);
}

#[test]
fn what_was_refused_is_asked_again_once_the_order_was_claimed_back() {
    let mut sim = server();
    sim.track(ORDER);
    sim.is_ledger_stuck = true;
    sim.answer_all(&Ok(report("done")));
    // The player comes back before it is known that another server has the order.
    sim.track(ORDER);
    sim.handle(taken(Some(LedgerEntry::Open)));
    sim.is_ledger_stuck = false;
    sim.handle(claimed());
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_server_without_settings_claims_nothing() {
    let mut sim = server();
    sim.track(ORDER);
    assert_eq!(sim.claims(Input::Configure(None)), [] as [bool; 0]);
}

#[test]
fn what_is_delivered_again_is_confirmed_again() {
    let mut sim = server();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    sim.is_ledger_stuck = true;
    sim.handle(Input::DeliverAgain);
    assert_eq!(sim.grants(ORDER), 1);
    sim.recorded(ORDER, LedgerEntry::Granted);
    assert_eq!(sim.grants(ORDER), 2);
    sim.handle(Input::DeliverAgain);
    sim.handle(taken(Some(LedgerEntry::Granted)));
    assert_eq!(sim.grants(ORDER), 2);
}

#[test]
fn a_canceled_order_stays_in_the_ledger_so_that_nothing_late_grants_it() {
    let mut sim = server();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("canceled")));
    sim.delivered(ORDER);
    assert_eq!(sim.ledger[&ORDER].0, LedgerEntry::Canceled);
}

#[test]
fn untracking_an_order_of_another_server_erases_nothing_when_its_player_comes_back() {
    let mut sim = server();
    sim.track(ORDER);
    sim.handle(taken(Some(LedgerEntry::Open)));
    sim.untrack(ORDER);
    sim.log_out();
    sim.log_in();
    assert!(sim.ledger.contains_key(&ORDER));
    sim.answer_all(&Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn an_order_of_another_project_is_not_taken() {
    let mut sim = server();
    sim.track(ORDER);
    let other = TakenOrder {
        project_id: 4,
        order_id: ORDER,
        entry: None,
    };
    sim.handle(Input::Ledger(LedgerReport::Taken(other)));
    assert!(sim.phases().is_empty());
}

#[test]
fn a_player_who_comes_back_takes_their_order_back_though_its_loss_is_not_known_yet() {
    let mut sim = server();
    sim.track(ORDER);
    let user = alice();
    let again = Input::Track {
        user,
        order_id: ORDER,
    };
    assert_eq!(sim.claims(again), [true]);
    // What the ledger said before it had the claim.
    sim.handle(taken(Some(LedgerEntry::Open)));
    assert!(sim.phases().is_empty());
    sim.handle(claimed());
    sim.handle(taken(Some(LedgerEntry::Open)));
    assert_eq!(sim.phases().last(), Some(&OrderPhase::Elsewhere));
}

#[test]
fn a_refund_is_told_once_the_ledger_has_the_order_as_this_servers() {
    let mut sim = server();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    sim.acknowledge(ORDER);
    sim.is_ledger_stuck = true;
    sim.publish(ORDER, "canceled");
    assert!(!was_told_a_refund(&sim));
    sim.recorded(ORDER, LedgerEntry::Acknowledged);
    assert!(was_told_a_refund(&sim));
    assert_eq!(sim.canceled().len(), 1);
}

#[test]
fn a_refund_that_another_server_was_told_of_is_not_told_here() {
    let mut sim = server();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    sim.acknowledge(ORDER);
    sim.is_ledger_stuck = true;
    sim.publish(ORDER, "canceled");
    sim.handle(taken(Some(LedgerEntry::Canceled)));
    assert!(!was_told_a_refund(&sim));
}

#[cfg(feature = "webhook")]
#[test]
fn a_webhook_takes_the_order_from_the_server_that_follows_it() {
    use crate::machine::input::Receipt;
    use crate::model::message::NewsSource;

    let webhook = |status: &str, receipt| Input::Pushed {
        user: alice(),
        project_id: None,
        report: report(status),
        source: NewsSource::Webhook,
        receipt: Some(Receipt(receipt)),
    };
    let mut sim = server();
    assert_eq!(sim.claims(webhook("done", 1)), [true], "it is new here");
    let mut sim = server();
    sim.track(ORDER);
    let claims = sim.claims(webhook("done", 1));
    assert_eq!(claims.first(), Some(&true), "it may be another's by now");
    let mut sim = server();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    sim.acknowledge(ORDER);
    let claims = sim.claims(webhook("canceled", 1));
    assert_eq!(claims.first(), Some(&true));
    let mut sim = server();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    sim.acknowledge(ORDER);
    let claims = sim.claims(webhook("done", 1));
    assert!(claims.is_empty(), "nothing follows from it");
}
