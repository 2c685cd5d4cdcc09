//! Tests of short-polling: what makes it start, slow down, pause and stop.

use super::*;

/// Lets time pass while every socket fails as soon as it is tried.
fn pass_without_sockets(sim: &mut Sim, time: Duration, answer: &Result<Report, RequestError>) {
    let end = sim.now + time;
    loop {
        sim.answer_all(answer);
        if sim.socket.is_some() {
            sim.socket_ends(lost());
        }
        match sim.machine.deadline() {
            Some(deadline) if deadline <= end => sim.now = sim.now.max(deadline),
            _ => break,
        }
    }
    sim.now = end;
}

fn gaps(sim: &Sim) -> Vec<Duration> {
    sim.sent
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .collect()
}

#[test]
fn without_a_socket_the_order_is_asked_for_every_three_seconds_and_granted() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    pass_without_sockets(&mut sim, seconds(300), &Ok(report("new")));
    assert!(
        (99..=101).contains(&sim.requests_sent()),
        "{}",
        sim.requests_sent()
    );
    assert!(gaps(&sim).iter().all(|gap| *gap == seconds(3)));
    assert!(sim.state().is_polling());
    pass_without_sockets(&mut sim, seconds(4), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
    assert!(sim.machine.is_idle());
}

#[test]
fn a_socket_that_is_slow_to_open_is_waited_for_a_few_seconds_before_polling() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.pass_answering(Duration::from_millis(3_900), &Ok(report("new")));
    assert_eq!(sim.requests_sent(), 1);
    assert_eq!(*sim.state(), TrackerState::Connecting);
    sim.pass_answering(seconds(4), &Ok(report("new")));
    assert!(sim.requests_sent() >= 2);
    let polling = TrackerState::Polling {
        reason: None,
        requests: None,
    };
    assert_eq!(*sim.state(), polling);
}

#[test]
fn polling_stops_once_the_socket_is_back_after_one_last_look() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    pass_without_sockets(&mut sim, seconds(30), &Ok(report("new")));
    while sim.socket.is_none() {
        sim.now = sim.machine.deadline().expect("the socket was given up");
        sim.answer_all(&Ok(report("new")));
    }
    let before = sim.requests_sent();
    sim.socket_is_live(true);
    sim.pass_answering(seconds(250), &Ok(report("new")));
    assert_eq!(sim.requests_sent(), before + 1);
    assert_eq!(*sim.state(), TrackerState::Live);
}

#[test]
fn after_ten_minutes_unpaid_polling_slows_down_to_a_minute() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    pass_without_sockets(&mut sim, seconds(600), &Ok(report("new")));
    let busy = sim.requests_sent();
    assert!((198..=201).contains(&busy), "{busy}");
    pass_without_sockets(&mut sim, seconds(4 * 3600), &Ok(report("new")));
    let gaps = gaps(&sim);
    assert!(gaps.windows(2).all(|pair| pair[0] <= pair[1]));
    assert_eq!(gaps.last(), Some(&seconds(60)));
    // News makes polling fast again.
    sim.answer_all(&Ok(report("new")));
    pass_without_sockets(&mut sim, seconds(120), &Ok(report("paid")));
    let before = sim.requests_sent();
    pass_without_sockets(&mut sim, seconds(30), &Ok(report("paid")));
    assert_eq!(sim.requests_sent() - before, 10);
}

#[test]
fn an_order_that_stays_unpaid_for_a_day_fails_and_never_in_silence() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    pass_without_sockets(&mut sim, seconds(24 * 3600 - 1), &Ok(report("new")));
    assert!(sim.failures().is_empty());
    pass_without_sockets(&mut sim, seconds(2), &Ok(report("new")));
    assert_eq!(
        sim.failures(),
        [&TrackingError::TimedOut(seconds(24 * 3600))]
    );
    assert!(sim.machine.is_idle());
    // The order can be tracked again.
    sim.track(ORDER);
    pass_without_sockets(&mut sim, seconds(1), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn failing_requests_never_end_tracking_and_a_paid_order_is_granted_after_them() {
    let failures = [
        http(500),
        http(502),
        http(429),
        http(408),
        RequestError::TimedOut,
        RequestError::Network("refused".to_owned()),
        RequestError::Malformed("garbage".to_owned()),
    ];
    for failure in failures {
        let mut sim = Sim::new();
        sim.track(ORDER);
        pass_without_sockets(&mut sim, seconds(3600), &Err(failure.clone()));
        assert!(sim.failures().is_empty(), "{failure}");
        let most = 3600 / 5;
        assert!(
            sim.requests_sent() < most,
            "{failure}: {}",
            sim.requests_sent()
        );
        pass_without_sockets(&mut sim, seconds(30), &Ok(report("done")));
        assert_eq!(sim.grants(ORDER), 1, "{failure}");
    }
}

#[test]
fn retry_after_is_honoured_for_all_orders_of_the_user() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.track(OrderId(2));
    sim.tick();
    sim.answer(Err(quiet_for(seconds(90))));
    sim.answer(Ok(report("new")));
    let asked_at = sim.now;
    pass_without_sockets(&mut sim, seconds(89), &Ok(report("new")));
    assert_eq!(sim.requests_sent(), 2);
    pass_without_sockets(&mut sim, seconds(5), &Ok(report("new")));
    assert!(sim.requests_sent() >= 4);
    assert!(sim.sent[2].0 >= asked_at + seconds(90));
}

#[test]
fn an_order_that_is_not_found_gets_a_few_tries_and_then_fails_with_the_reason() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    pass_without_sockets(&mut sim, seconds(600), &Err(http(404)));
    assert_eq!(sim.failures(), [&TrackingError::Refused(http(404))]);
    assert!(sim.requests_sent() >= 5);
    assert!(gaps(&sim).iter().all(|gap| *gap >= seconds(3)));
    assert!(sim.sent.last().unwrap().0 - sim.sent[0].0 >= seconds(60));
    // A socket stays open while the order may yet be paid, and is closed after that.
    pass_without_sockets(&mut sim, seconds(24 * 3600), &Err(http(404)));
    assert!(sim.machine.is_idle());
}

#[test]
fn a_fresh_order_that_is_not_found_at_first_is_followed() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    pass_without_sockets(&mut sim, seconds(7), &Err(http(404)));
    pass_without_sockets(&mut sim, seconds(20), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn an_order_that_the_socket_told_of_is_not_failed_by_not_found() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.socket_is_live(true);
    sim.publish(ORDER, "done");
    pass_without_sockets(&mut sim, seconds(600), &Err(http(404)));
    assert!(sim.failures().is_empty());
    pass_without_sockets(&mut sim, seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn requests_that_wait_for_their_turn_honour_what_the_server_says_meanwhile() {
    let mut sim = Sim::new();
    let orders: Vec<OrderId> = (1..=40).map(OrderId).collect();
    for order in &orders {
        sim.track(*order);
    }
    sim.tick();
    assert_eq!(sim.requests.len(), 32, "the others wait");
    while !sim.requests.is_empty() {
        sim.answer(Err(quiet_for(seconds(90))));
    }
    assert_eq!(sim.requests_sent(), 32);
    // The requests are not lost: they are sent when the server wants requests again.
    pass_without_sockets(&mut sim, seconds(89), &Ok(report("new")));
    assert_eq!(sim.requests_sent(), 32);
    // They are sent at two a second, because all of the orders have been asked for without success before.
    pass_without_sockets(&mut sim, seconds(30), &Ok(report("done")));
    for order in orders {
        assert_eq!(sim.grants(order), 1, "{order}");
    }
}

/// Makes a server's answer that it has had too many requests.
fn quiet_for(time: Duration) -> RequestError {
    RequestError::Status {
        status: 429,
        code: None,
        message: None,
        transaction_id: None,
        retry_after: Some(time),
    }
}

#[test]
fn a_poll_that_fails_while_the_socket_comes_back_does_not_end_polling() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_ends(lost());
    // A poll is under way when the socket is live again …
    sim.pass(seconds(5));
    assert_eq!(sim.requests.len(), 1);
    sim.socket_is_live(true);
    // … and it fails; a second channel is subscribed (or the socket drops and recovers).
    sim.answer(Err(http(500)));
    sim.socket_is_live(true);
    // The socket breaks for good.
    let asked = sim.requests_sent();
    sim.socket_ends(lost());
    for _ in 0..1_000 {
        sim.pass(seconds(2));
        while !sim.requests.is_empty() {
            sim.answer(Ok(report("done")));
        }
        if sim.socket.is_some() {
            sim.socket_ends(lost());
        }
    }
    assert!(
        sim.requests_sent() > asked,
        "nothing was asked for half an hour"
    );
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_wait_that_one_server_imposed_does_not_bind_another() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Err(quiet_for(seconds(3600))));
    let mut config = sim.config.clone();
    config.store_url = "https://example.com/api".to_owned();
    sim.configure(Some(config));
    sim.pass(seconds(60));
    assert!(sim.requests_sent() > 1);
}

#[test]
fn a_page_that_is_not_the_stores_is_no_refusal_however_often_it_comes() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    pass_without_sockets(&mut sim, seconds(600), &Err(foreign(404)));
    assert!(sim.failures().is_empty());
    pass_without_sockets(&mut sim, seconds(120), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn news_of_an_order_that_the_store_did_not_find_is_heard() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.socket_is_live(true);
    sim.pass_answering(seconds(600), &Err(http(404)));
    assert_eq!(sim.failures(), [&TrackingError::Refused(http(404))]);
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn retry_after_counts_where_it_is_about_load_and_for_minutes_at_most() {
    for (status, least, most) in [(401, 0, 60), (500, 0, 60), (429, 300, 400), (503, 300, 400)] {
        let mut sim = Sim::new();
        sim.track(ORDER);
        let busy = RequestError::Status {
            status,
            code: None,
            message: None,
            transaction_id: None,
            retry_after: Some(seconds(3600)),
        };
        sim.tick();
        let began = sim.now;
        sim.answer(Err(busy.clone()));
        sim.socket_ends(closed(3501));
        sim.pass(seconds(1));
        let reason = Some(closed(3501));
        let requests = Some(busy);
        assert_eq!(*sim.state(), TrackerState::Polling { reason, requests });
        let asked = 1;
        sim.pass_answering(seconds(400), &Ok(report("new")));
        let next = sim.sent[asked].0 - began;
        assert!(
            (seconds(least)..seconds(most)).contains(&next),
            "HTTP {status}: {next:?}"
        );
    }
}

#[test]
fn a_fresh_token_starts_afresh_where_a_server_asked_for_a_pause() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Err(quiet_for(seconds(3600))));
    sim.log_in();
    sim.pass_answering(seconds(5), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn what_hinders_the_request_of_a_done_order_is_in_the_state() {
    for error in [
        RequestError::Malformed("test".to_owned()),
        foreign(407),
        RequestError::Network("test".to_owned()),
    ] {
        let mut sim = live_with(&[ORDER]);
        sim.publish(ORDER, "done");
        sim.pass_answering(seconds(60), &Err(error.clone()));
        let polling = TrackerState::Polling {
            reason: None,
            requests: Some(error),
        };
        assert_eq!(*sim.state(), polling);
        sim.pass_answering(seconds(120), &Ok(report("done")));
        assert_eq!(*sim.state(), TrackerState::Idle);
    }
}

/// The most requests that were sent within a minute.
fn most_in_a_minute(sim: &Sim) -> usize {
    let times: Vec<Duration> = sim.sent.iter().map(|(at, _)| *at).collect();
    let since = |from: Duration| {
        times
            .iter()
            .filter(move |at| (from..from + seconds(60)).contains(*at))
    };
    times
        .iter()
        .map(|from| since(*from).count())
        .max()
        .unwrap_or(0)
}

#[test]
fn whatever_a_server_sends_a_player_is_asked_for_at_most_twice_a_second() {
    type Trouble = fn(&mut Sim);
    let troubles: [(&str, Trouble); 4] = [
        ("a socket that admits a gap with each publication", |sim| {
            sim.answer_all(&Ok(report("new")));
            for _ in 0..10 {
                sim.publish(ORDER, "new");
                sim.socket_is_live(false);
            }
        }),
        (
            "a store that refuses each token, and a game that renews",
            |sim| {
                sim.answer_all(&Err(http(401)));
                sim.log_in();
            },
        ),
        ("statuses that nobody knows", |sim| {
            sim.answer_all(&Ok(report("new")));
            let made_up = format!("made_up_{:?}", sim.now);
            for order in 1..=100 {
                sim.publish(OrderId(order), &made_up);
            }
        }),
        ("errors of every kind", |sim| {
            for n in 0.. {
                sim.tick();
                if sim.requests.is_empty() {
                    break;
                }
                let answers = [http(500), foreign(403), RequestError::TimedOut, http(404)];
                sim.answer(Err(answers[n % answers.len()].clone()));
            }
        }),
    ];
    let orders: Vec<OrderId> = (1..=100).map(OrderId).collect();
    for (name, trouble) in troubles {
        let mut sim = live_with(&orders);
        sim.pass_answering(seconds(60), &Ok(report("new")));
        sim.sent.clear();
        let end = sim.now + seconds(300);
        while sim.now < end {
            sim.pass(Duration::from_millis(100));
            trouble(&mut sim);
        }
        let most = most_in_a_minute(&sim);
        assert!(sim.requests_sent() > 0, "{name}");
        assert!(most <= 121, "{name}: {most} requests in a minute");
    }
}

#[test]
fn an_order_that_is_paid_does_not_wait_for_the_turn_of_requests_that_nobody_needs() {
    let orders: Vec<OrderId> = (1..=100).map(OrderId).collect();
    let mut sim = live_with(&orders);
    sim.pass_answering(seconds(1), &Ok(report("new")));
    // Something may be missing, so each order is asked for, two in a second.
    sim.socket_is_live(false);
    sim.pass_answering(seconds(2), &Ok(report("new")));
    let last = OrderId(100);
    assert!(sim.sent.iter().filter(|(_, order)| *order == last).count() <= 1);
    sim.publish(last, "paid");
    sim.pass_answering(seconds(1), &Ok(report("paid")));
    sim.publish(last, "done");
    assert_eq!(sim.grants(last), 1);
}

#[test]
fn a_proxy_that_wants_a_password_says_nothing_about_the_order() {
    assert!(!http(407).is_refusal());
}

#[test]
fn a_place_that_a_canceled_request_leaves_is_taken_at_once() {
    let mut sim = Sim::new();
    let orders: Vec<OrderId> = (1..=33).map(OrderId).collect();
    for order in &orders {
        sim.track(*order);
    }
    sim.tick();
    assert_eq!(sim.requests_sent(), 32, "the last one waits");
    sim.untrack(OrderId(1));
    assert_eq!(sim.sent.last().map(|(_, order)| *order), Some(OrderId(33)));
}
