//! Tests of orders that webhooks tell of.

use super::*;
use crate::machine::input::Receipt;
use crate::model::message::NewsSource;

fn webhook(status: &str, receipt: u64) -> Input {
    Input::Pushed {
        user: alice(),
        project_id: None,
        report: report(status),
        source: NewsSource::Webhook,
        receipt: Some(Receipt(receipt)),
    }
}

/// A machine on which nobody has logged in.
fn server() -> Sim {
    let mut sim = Sim::unconfigured();
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim
}

/// A machine with alice logged in, and with another instance that holds the ledger.
fn locked_out() -> Sim {
    let mut sim = loading();
    sim.is_ledger_stuck = true;
    let locked = LedgerReport::Loaded {
        project_id: sim.project(),
        user: alice(),
        orders: Vec::new(),
        outcome: LoadOutcome::Locked,
    };
    sim.handle(Input::Ledger(locked));
    sim
}

impl Sim {
    /// A ledger that cannot be written says so, and says nothing of the order.
    fn unwritten(&mut self) {
        self.handle(Input::Ledger(LedgerReport::Recorded {
            project_id: self.project(),
            order_id: ORDER,
            entry: LedgerEntry::Open,
            before: None,
            is_written: false,
            claims: false,
        }));
    }

    fn paid(&mut self, receipt: u64) {
        self.handle(webhook("done", receipt));
    }

    fn refunded(&mut self, receipt: u64) {
        self.handle(webhook("canceled", receipt));
    }

    /// Ends the process of a server, and starts another one on the same ledger.
    fn restart_server(&mut self) {
        self.restart_logged_out();
        self.confirmed.clear();
    }
}

#[test]
fn an_order_of_a_player_who_never_logs_in_is_granted_with_the_items_of_the_webhook() {
    let mut sim = server();
    sim.paid(1);
    assert_eq!(sim.grants(ORDER), 1);
    let items = sim.notices.iter().find_map(|notice| match notice {
        Notice::Done(done) => Some((done.user.clone(), done.items.clone())),
        _ => None,
    });
    assert_eq!(items, Some((alice(), sword())));
    assert_eq!((sim.requests_sent(), sim.sockets_opened), (0, 0));
    sim.acknowledge(ORDER);
    assert!(sim.machine.is_idle());
    assert!(sim.machine.players.is_empty());
}

#[test]
fn a_webhook_is_confirmed_once_the_ledger_has_the_acknowledgement() {
    let mut sim = server();
    sim.paid(1);
    assert!(sim.confirmed.is_empty());
    sim.is_ledger_stuck = true;
    sim.acknowledge(ORDER);
    assert!(sim.confirmed.is_empty());
    sim.recorded(ORDER, LedgerEntry::Acknowledged);
    assert_eq!(sim.confirmed, [1]);
}

#[test]
fn a_webhook_that_comes_again_grants_nothing_and_is_confirmed() {
    let mut sim = server();
    sim.paid(1);
    sim.paid(2);
    sim.acknowledge(ORDER);
    sim.paid(3);
    assert_eq!(sim.grants(ORDER), 1);
    assert_eq!(sim.confirmed, [1, 2, 3]);
}

#[test]
fn a_server_that_dies_before_the_acknowledgement_grants_when_the_webhook_comes_again() {
    let mut sim = server();
    sim.paid(1);
    sim.restart_server();
    sim.paid(2);
    assert_eq!(sim.grants(ORDER), 1);
    sim.acknowledge(ORDER);
    assert_eq!(sim.confirmed, [2]);
    for receipt in 3..6 {
        sim.restart_server();
        sim.paid(receipt);
        assert_eq!(sim.grants(ORDER), 0);
        assert_eq!(sim.confirmed, [receipt]);
    }
}

#[test]
fn a_refund_is_told_once_and_nothing_that_comes_late_grants_again() {
    let mut sim = server();
    sim.paid(1);
    sim.acknowledge(ORDER);
    sim.restart_server();
    sim.refunded(2);
    assert!(was_told_a_refund(&sim));
    assert!(
        sim.confirmed.is_empty(),
        "the game's systems have not read it yet"
    );
    sim.delivered(ORDER);
    assert_eq!(sim.confirmed, [2]);
    for receipt in 3..6 {
        sim.restart_server();
        sim.refunded(receipt);
        sim.paid(10 * receipt);
        assert_eq!((sim.canceled().len(), sim.grants(ORDER)), (0, 0));
        assert_eq!(sim.confirmed, [receipt, 10 * receipt]);
    }
}

#[test]
fn a_refund_that_overtakes_the_payment_leaves_nothing_to_grant() {
    let mut sim = server();
    sim.refunded(1);
    assert_eq!(sim.canceled(), [(ORDER, false)]);
    sim.delivered(ORDER);
    sim.paid(2);
    sim.restart_server();
    sim.paid(3);
    assert_eq!(sim.grants(ORDER), 0);
    assert_eq!(sim.confirmed, [3]);
}

#[test]
fn socket_and_webhook_together_grant_once() {
    for is_webhook_first in [true, false] {
        let mut sim = live_with(&[ORDER]);
        if is_webhook_first {
            sim.paid(1);
        }
        sim.publish(ORDER, "paid");
        sim.publish(ORDER, "done");
        sim.answer_all(&Ok(report("done")));
        sim.paid(2);
        assert_eq!(sim.grants(ORDER), 1);
        sim.acknowledge(ORDER);
        assert!(sim.confirmed.contains(&2));
    }
}

#[test]
fn an_order_that_is_tracked_belongs_to_the_player_who_tracks_it() {
    let mut sim = live_with(&[ORDER]);
    sim.handle(Input::Pushed {
        user: UserId::new('s', "somebody"),
        project_id: None,
        report: report("done"),
        source: NewsSource::Webhook,
        receipt: Some(Receipt(1)),
    });
    let owner = sim.notices.iter().find_map(|notice| match notice {
        Notice::Done(done) => Some(done.user.clone()),
        _ => None,
    });
    assert_eq!(owner, Some(alice()));
}

#[test]
fn an_order_that_was_given_up_or_has_expired_is_granted_when_it_is_paid_after_all() {
    let mut sim = live_with(&[ORDER]);
    sim.handle(Input::Abandon(ORDER));
    sim.paid(1);
    assert_eq!(sim.grants(ORDER), 1);

    let mut sim = live_with(&[ORDER]);
    sim.publish(ORDER, "expired");
    sim.delivered(ORDER);
    sim.paid(1);
    assert_eq!(sim.grants(ORDER), 1);
    sim.acknowledge(ORDER);
    assert_eq!(sim.confirmed, [1]);
}

#[test]
fn nothing_is_granted_while_the_ledger_does_not_say_what_it_has() {
    let mut sim = server();
    sim.is_ledger_stuck = true;
    sim.paid(1);
    sim.pass(seconds(3_600));
    assert_eq!(sim.grants(ORDER), 0);
    sim.unwritten();
    sim.pass(seconds(3_600));
    assert_eq!(sim.grants(ORDER), 0);
    let late = sim.recording(LedgerEntry::Open, Some(LedgerEntry::Acknowledged));
    sim.handle(late);
    assert_eq!((sim.grants(ORDER), &*sim.confirmed), (0, &[1][..]));

    let mut sim = server();
    sim.is_ledger_stuck = true;
    sim.paid(1);
    sim.pass(seconds(3_600));
    let late = sim.recording(LedgerEntry::Open, None);
    sim.handle(late);
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn what_a_webhook_has_told_waits_for_the_ledger_for_days() {
    let mut sim = locked_out();
    sim.paid(1);
    sim.unwritten();
    sim.pass_answering(seconds(3 * 24 * 3600), &Ok(report("canceled")));
    let is_failure = |notice: &Notice| matches!(notice, Notice::Failed(_));
    assert!(!sim.notices.iter().any(is_failure));
    sim.log_out();
    sim.refunded(2);
    sim.pass(seconds(3 * 24 * 3600));
    assert_eq!(sim.canceled(), []);
    let late = sim.recording(LedgerEntry::Open, Some(LedgerEntry::Canceled));
    sim.handle(late);
    assert_eq!(sim.canceled(), [], "an earlier run was told");
    assert_eq!((sim.grants(ORDER), &*sim.confirmed), (0, &[1, 2][..]));
}

#[test]
fn the_refund_of_an_order_whose_player_has_left_waits_for_the_ledger() {
    let mut sim = locked_out();
    sim.track(ORDER);
    sim.unwritten();
    sim.handle(Input::Abandon(ORDER));
    sim.log_out();
    assert!(sim.machine.players.is_empty());
    sim.refunded(1);
    assert_eq!(sim.canceled(), []);
    let late = sim.recording(LedgerEntry::Open, Some(LedgerEntry::Acknowledged));
    sim.handle(late);
    assert_eq!(sim.canceled(), [(ORDER, true)]);
}

#[test]
fn without_settings_a_webhook_waits_to_come_again() {
    let mut sim = Sim::unconfigured();
    sim.paid(1);
    let config = sim.config.clone();
    sim.configure(Some(config));
    assert_eq!((sim.grants(ORDER), sim.confirmed.len()), (0, 0));
    sim.paid(2);
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn an_order_without_items_is_granted_at_once_because_the_store_has_signed_it() {
    let mut sim = server();
    sim.handle(Input::Pushed {
        user: alice(),
        project_id: Some(77_640),
        report: Report {
            items: Some(Vec::new()),
            ..report("done")
        },
        source: NewsSource::Webhook,
        receipt: Some(Receipt(1)),
    });
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn an_order_that_was_untracked_before_it_was_paid_is_kept_when_its_player_logs_in() {
    let mut sim = server();
    sim.untrack(ORDER);
    sim.paid(1);
    sim.acknowledge(ORDER);
    assert_eq!(sim.confirmed, [1]);
    sim.log_in();
    sim.restart();
    sim.paid(2);
    assert_eq!((sim.grants(ORDER), &*sim.confirmed), (0, &[1, 2][..]));
}

#[test]
fn a_grant_that_the_game_could_not_save_is_told_again_when_it_asks() {
    let mut sim = server();
    sim.paid(1);
    sim.notices.clear();
    sim.paid(2);
    assert_eq!(sim.grants(ORDER), 0);
    sim.handle(Input::DeliverAgain);
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn the_refund_of_an_order_that_had_expired_is_told_and_kept() {
    let mut sim = live_with(&[ORDER]);
    sim.publish(ORDER, "expired");
    sim.delivered(ORDER);
    sim.refunded(1);
    assert_eq!(sim.canceled(), [(ORDER, false)]);
    sim.delivered(ORDER);
    sim.paid(2);
    assert_eq!((sim.grants(ORDER), &*sim.confirmed), (0, &[1, 2][..]));
}

#[test]
fn a_disk_that_fails_holds_a_webhook_up_though_its_player_is_here() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    sim.paid(1);
    sim.unwritten();
    assert_eq!(sim.grants(ORDER), 0);
    let late = sim.recording(LedgerEntry::Open, None);
    sim.handle(late);
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_refund_that_is_known_grants_nothing_when_the_doubt_ends() {
    let mut sim = locked_out();
    sim.track(ORDER);
    sim.unwritten();
    sim.tick();
    sim.answer_all(&Ok(report("done")));
    sim.refunded(1);
    sim.loaded(Vec::new());
    let late = sim.recording(LedgerEntry::Open, None);
    sim.handle(late);
    assert_eq!(
        (sim.grants(ORDER), sim.canceled()),
        (0, vec![(ORDER, false)])
    );
}
