//! The queue of events, which is read in place of a socket.

use super::*;
use crate::model::source::OrderSource;

/// Makes a machine that reads the queue, with alice logged in and the queue read once.
fn reading() -> Sim {
    let mut sim = Sim::unconfigured();
    sim.config.source = OrderSource::EventQueue;
    let config = sim.config.clone();
    sim.configure(Some(config));
    sim.log_in();
    sim.socket_is_subscribed(false, true);
    sim
}

/// The statuses up to which the events of the order may be processed, as the machine has said.
fn settled(sim: &mut Sim) -> Vec<String> {
    let outputs = std::mem::take(&mut sim.others);
    let settled = outputs.into_iter().filter_map(|output| match output {
        Output::Settled { status, .. } => Some(status.to_string()),
        _ => None,
    });
    settled.collect()
}

fn hurried(sim: &mut Sim) -> Vec<bool> {
    let outputs = std::mem::take(&mut sim.others);
    let hurried = outputs.into_iter().filter_map(|output| match output {
        Output::Hurry { is_awaited, .. } => Some(is_awaited),
        _ => None,
    });
    hurried.collect()
}

#[test]
fn an_event_is_settled_once_the_ledger_has_the_acknowledgement_and_again_whenever_it_comes() {
    let mut sim = reading();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("new")));
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(1), &Ok(report("paid")));
    assert_eq!((sim.grants(ORDER), settled(&mut sim).len()), (1, 0));
    sim.is_ledger_stuck = true;
    sim.acknowledge(ORDER);
    assert_eq!(settled(&mut sim), [""; 0]);
    sim.recorded(ORDER, LedgerEntry::Acknowledged);
    assert_eq!(settled(&mut sim), ["done"]);
    sim.publish(ORDER, "done");
    assert_eq!(settled(&mut sim), ["done"]);
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_refund_is_settled_once_the_game_has_heard_of_it() {
    let mut sim = reading();
    sim.track(ORDER);
    sim.publish(ORDER, "done");
    sim.answer_all(&Ok(report("done")));
    sim.acknowledge(ORDER);
    assert_eq!(settled(&mut sim), ["done"]);
    sim.publish(ORDER, "canceled");
    assert!(was_told_a_refund(&sim));
    assert_eq!(settled(&mut sim), [""; 0]);
    sim.delivered(ORDER);
    assert_eq!(settled(&mut sim), ["canceled"]);
}

#[test]
fn an_expired_order_that_is_paid_after_all_is_granted_and_settled_after_that() {
    let mut sim = reading();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("expired")));
    sim.delivered(ORDER);
    settled(&mut sim);
    sim.publish(ORDER, "done");
    assert_eq!(settled(&mut sim), [""; 0]);
    sim.answer_all(&Ok(report("paid")));
    assert_eq!((sim.grants(ORDER), settled(&mut sim).len()), (1, 0));
    sim.acknowledge(ORDER);
    assert_eq!(settled(&mut sim), ["done"]);
}

#[test]
fn an_open_order_is_asked_for_once_a_minute_because_another_device_may_process_its_event() {
    let mut sim = reading();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("new")));
    let before = sim.requests_sent();
    sim.pass_answering(seconds(200), &Ok(report("new")));
    assert_eq!(sim.requests_sent() - before, 3);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn it_is_read_often_while_an_order_waits_and_at_once_when_the_player_returns() {
    let mut sim = reading();
    assert_eq!(hurried(&mut sim), [false]);
    sim.track(ORDER);
    assert_eq!(hurried(&mut sim), [true]);
    sim.handle(Input::Returned);
    assert_eq!(hurried(&mut sim), [true]);
    sim.publish(ORDER, "done");
    sim.answer_all(&Ok(report("done")));
    assert_eq!(hurried(&mut sim), [false]);
    sim.handle(Input::Returned);
    assert_eq!(hurried(&mut sim), [false]);
}

#[test]
fn what_was_done_before_the_first_start_is_discovered_because_a_queue_has_no_past() {
    let mut sim = reading();
    sim.publish(ORDER, "done");
    let discovered = |notice: &Notice| matches!(notice, Notice::Discovered(_));
    assert!(sim.notices.iter().any(discovered));
}
