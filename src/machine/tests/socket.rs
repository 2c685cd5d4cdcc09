//! Tests of when the socket is opened, closed, and opened again.

use super::*;

fn live() -> Sim {
    live_with(&[ORDER])
}

#[test]
fn a_dropped_socket_is_opened_again_soon_and_its_trouble_told() {
    let mut sim = live();
    sim.socket_ends(lost());
    let reason = lost();
    assert_eq!(*sim.state(), TrackerState::Reconnecting { reason });
    sim.pass(seconds(1));
    assert_eq!(sim.sockets_opened, 2);
    sim.socket_is_live(true);
    assert_eq!(*sim.state(), TrackerState::Live);
    assert_eq!(sim.requests_sent(), 1, "recovery told all that was missed");
}

#[test]
fn a_socket_that_may_have_missed_something_makes_the_orders_be_asked_for() {
    let mut sim = live();
    sim.socket_ends(lost());
    sim.pass(seconds(1));
    sim.socket_is_live(false);
    sim.pass(seconds(1));
    sim.answer(Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_gap_during_a_request_is_asked_about_once_more() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.socket_is_live(false);
    // The answer left the server before the gap.
    sim.answer(Ok(report("new")));
    sim.pass(seconds(2));
    assert_eq!(sim.requests_sent(), 2);
    sim.answer(Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn when_the_player_returns_every_open_order_is_asked_for_and_a_lost_socket_is_tried() {
    let second = OrderId(2);
    let mut sim = live_with(&[ORDER, second]);
    let asked = sim.requests_sent();
    sim.pass(seconds(20));
    assert_eq!(sim.requests_sent(), asked, "the socket tells the news");
    sim.handle(Input::Returned);
    sim.pass(seconds(1));
    assert_eq!(sim.requests_sent(), asked + 2);
    sim.answer_all(&Ok(report("done")));
    assert_eq!((sim.grants(ORDER), sim.grants(second)), (1, 1));

    let mut sim = live();
    for _ in 0..20 {
        sim.socket_ends(lost());
        while sim.socket.is_none() {
            sim.now = sim.machine.deadline().expect("the socket was given up");
            sim.answer_all(&Ok(report("new")));
        }
    }
    sim.socket_ends(lost());
    let opened = sim.sockets_opened;
    sim.handle(Input::Returned);
    sim.tick();
    assert_eq!(sim.sockets_opened, opened + 1);
}

#[test]
fn the_newest_order_waits_for_no_other_when_the_player_returns() {
    let orders: Vec<OrderId> = (1..=20).map(OrderId).collect();
    let mut sim = live_with(&orders);
    sim.pass(seconds(20));
    let sent = sim.sent.len();
    let returned = sim.now;
    sim.handle(Input::Returned);
    sim.pass(seconds(30));
    let newest = OrderId(20);
    let asked = sim.sent[sent..].iter().find(|(_, order)| *order == newest);
    assert_eq!(asked, Some(&(returned, newest)));
    assert_eq!(sim.sent.len(), sent + 20, "all of them are asked for");
}

#[test]
fn after_a_stop_neither_a_socket_nor_a_request_is_waited_for_that_may_be_dead() {
    let mut sim = live();
    sim.pass(seconds(20));
    sim.handle(Input::Returned);
    sim.tick();
    let old = sim.requests.pop_front().unwrap().1;
    // The machine sleeps, and neither is answered ever.
    sim.now += seconds(600);
    sim.handle(Input::Resumed);
    sim.tick();
    assert_eq!(sim.sockets_opened, 2);
    let new: Vec<RequestId> = sim.requests.iter().map(|(_, id)| *id).collect();
    assert!(new.len() == 1 && new != [old], "{new:?} after {old:?}");
    sim.answer(Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn delays_between_attempts_grow_and_stay_bounded() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    let mut delays = Vec::new();
    for _ in 0..200 {
        sim.answer_all(&Ok(report("new")));
        let ended = sim.now;
        sim.socket_ends(lost());
        while sim.socket.is_none() {
            let next = sim.machine.deadline().expect("the socket was given up");
            sim.now = next;
            sim.answer_all(&Ok(report("new")));
        }
        delays.push(sim.now - ended);
    }
    let longest = delays.iter().max().copied().unwrap_or_default();
    assert!(
        longest > seconds(10) && longest <= seconds(20),
        "{longest:?}"
    );
    assert!(
        delays
            .iter()
            .all(|delay| *delay >= Duration::from_millis(250))
    );
    assert!(delays[0] <= Duration::from_millis(500));
}

#[test]
fn a_terminal_close_is_not_answered_by_coming_back_at_once_and_polling_goes_on() {
    for code in [3501, 3503, 4500, 1009] {
        let mut sim = live();
        sim.socket_ends(closed(code));
        sim.pass_answering(seconds(60), &Ok(report("new")));
        assert_eq!(sim.sockets_opened, 1, "{code}");
        assert!(sim.requests_sent() > 15, "{code}");
        // The server may have meant that connection only, so it is tried again much later.
        sim.pass_answering(seconds(300), &Ok(report("new")));
        assert_eq!(sim.sockets_opened, 2, "{code}");
    }
}

#[test]
fn a_close_that_means_reconnect_is_answered_by_coming_back() {
    for code in [1001, 1006, 3000, 3005, 3012, 4000, 5000] {
        let mut sim = live();
        sim.socket_ends(closed(code));
        sim.pass(seconds(1));
        assert_eq!(sim.sockets_opened, 2, "{code}");
    }
}

#[test]
fn five_minutes_without_a_final_status_renew_the_socket_and_ask() {
    let mut sim = live();
    sim.pass(seconds(299));
    assert_eq!((sim.sockets_opened, sim.requests_sent()), (1, 1));
    sim.pass(seconds(2));
    assert_eq!((sim.sockets_opened, sim.requests_sent()), (2, 2));
    sim.answer(Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
    assert!(sim.machine.is_idle());
}

#[test]
fn the_end_of_a_connection_that_was_replaced_changes_nothing() {
    let mut sim = live();
    let old = sim.socket.expect("live");
    sim.pass(seconds(301));
    sim.handle(Input::Ended {
        user: alice(),
        connection: old,
        reason: lost(),
    });
    sim.handle(Input::Subscribed {
        user: alice(),
        connection: old,
        recovered: true,
        heard_all: true,
    });
    assert_eq!(*sim.state(), TrackerState::Connecting);
    assert_eq!(sim.sockets_opened, 2);
}

#[test]
fn a_new_order_after_the_last_opens_a_new_socket() {
    let mut sim = live();
    sim.publish(ORDER, "done");
    assert_eq!(sim.socket, None);
    sim.track(OrderId(2));
    assert_eq!(sim.sockets_opened, 2);
}

#[test]
fn a_changed_config_moves_the_connection() {
    let mut sim = live();
    let mut config = sim.config.clone();
    config.project_id = 1;
    sim.configure(Some(config));
    sim.pass(seconds(1));
    assert_eq!((sim.sockets_opened, sim.requests_sent()), (2, 2));
}

#[test]
fn an_http_403_before_the_token_was_ever_sent_is_not_the_tokens_fault() {
    let handshake = SocketError::Handshake {
        status: Some(403),
        message: String::new(),
    };
    assert!(!handshake.is_unauthorized());
}

#[test]
fn polling_that_a_socket_has_ended_is_not_told_of_the_next_break() {
    let mut sim = live();
    sim.socket_ends(lost());
    sim.pass(seconds(0));
    while !matches!(sim.state(), TrackerState::Polling { .. }) {
        if sim.socket.is_some() {
            sim.socket_ends(lost());
        }
        sim.pass_answering(seconds(1), &Ok(report("new")));
    }
    if sim.socket.is_none() {
        sim.pass_answering(seconds(120), &Ok(report("new")));
    }
    // The history did not reach back far enough, so the orders are asked for.
    sim.socket_is_live(false);
    sim.answer_all(&Ok(report("new")));
    sim.socket_ends(lost());
    assert_eq!(*sim.state(), TrackerState::Reconnecting { reason: lost() });
}
