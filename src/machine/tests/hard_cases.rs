//! Races, long sleeps and servers that contradict themselves.

use super::*;

#[test]
fn there_is_a_limit_to_how_many_orders_of_a_player_are_open() {
    let mut sim = Sim::new();
    for n in 0..MAX_OPEN as u64 {
        sim.track(OrderId(n));
    }
    assert!(sim.failures().is_empty());
    sim.track(OrderId(u64::MAX));
    assert_eq!(sim.failures(), [&TrackingError::TooManyOrders]);
}

fn live_with(orders: &[OrderId]) -> Sim {
    let mut sim = Sim::new();
    for order in orders {
        sim.track(*order);
    }
    sim.tick();
    while !sim.requests.is_empty() {
        sim.answer(Ok(report("new")));
    }
    sim.socket_is_live(true);
    sim
}

#[test]
fn an_order_paid_while_the_machine_slept_for_days_is_asked_for_before_it_is_given_up() {
    let mut sim = live_with(&[ORDER]);
    // The lid is closed for a weekend; the player pays on the phone. One tick on waking up.
    sim.now += seconds(60 * 3600);
    sim.tick();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!((sim.grants(ORDER), sim.failures().len()), (1, 0));
}

#[test]
fn after_log_out_a_late_publication_grants_nothing_to_whoever_plays_now() {
    let mut sim = live_with(&[ORDER]);
    sim.log_out();
    // It was queued behind the LogOut command, or read while the socket said goodbye.
    sim.publish(ORDER, "done");
    assert_eq!(sim.grants(ORDER), 0, "nobody is logged in to take it");
    sim.log_in();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
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
fn news_of_an_order_that_was_given_up_is_not_swallowed() {
    let other = OrderId(2);
    let mut sim = Sim::new();
    sim.track(other);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    sim.track(ORDER);
    // Get Order lags behind the creation a little longer than five tries.
    while sim.failures().is_empty() {
        sim.pass(seconds(1));
        while let Some((order, _)) = sim.requests.front() {
            let answer = if *order == ORDER {
                Err(http(404))
            } else {
                Ok(report("new"))
            };
            sim.answer(answer);
        }
    }
    sim.publish(ORDER, "paid");
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(
        sim.statuses(),
        ["new", "paid", "done"],
        "the game's UI says done"
    );
    assert_eq!(sim.grants(ORDER), 1, "and the item never comes");
}

#[test]
fn the_old_tokens_refusal_is_not_held_against_the_new_one() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    // The game refreshes the token ahead of its expiry, while a request is under way.
    sim.log_in();
    sim.answer(Err(http(401)));
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!((sim.authorizations_required(), sim.grants(ORDER)), (0, 1));
}

#[test]
fn one_dead_token_with_many_requests_under_way_takes_one_refresh() {
    let orders: Vec<OrderId> = (1..=10).map(OrderId).collect();
    let mut sim = Sim::new();
    for order in &orders {
        sim.track(*order);
    }
    sim.tick();
    assert_eq!(sim.requests.len(), 10);
    // All ten carry the dead token. The game refreshes as soon as it hears of the first.
    let mut refreshes = 0;
    for _ in 0..10 {
        let before = sim.authorizations_required();
        sim.answer(Err(http(401)));
        if sim.authorizations_required() > before {
            refreshes += 1;
            sim.log_in();
        }
    }
    assert_eq!(refreshes, 1);
}

#[test]
fn the_old_tokens_socket_refusal_is_not_held_against_the_new_one() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.log_in();
    sim.socket_ends(closed(3500));
    assert_eq!(sim.authorizations_required(), 0);
    sim.pass_answering(seconds(60), &Ok(report("new")));
    assert_eq!(sim.sockets_opened, 2);
}

#[test]
fn a_socket_that_refuses_every_token_does_not_make_the_game_refresh_without_end() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    let start = sim.now;
    // Get Order is content with the token; the socket says 103 to everybody (a project without it).
    // The game does as documented: AuthorizationRequired → a new XsollaUser.
    for _ in 0..100 {
        if sim.socket.is_none() {
            break;
        }
        let before = sim.authorizations_required();
        sim.socket_ends(SocketError::Refused {
            code: 103,
            message: String::new(),
            temporary: false,
        });
        if sim.authorizations_required() > before {
            sim.log_in();
        }
    }
    assert_eq!(sim.now, start);
    assert!(
        sim.sockets_opened < 10,
        "{} sockets in no time",
        sim.sockets_opened
    );
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
fn a_proxy_that_wants_a_password_says_nothing_about_the_order() {
    assert!(!http(407).is_refusal());
}

#[test]
fn a_refunded_order_that_is_tracked_again_is_not_granted_again_by_a_lagging_answer() {
    let other = OrderId(2);
    let mut sim = live_with(&[ORDER, other]);
    sim.pass(seconds(60));
    sim.publish_purchase(ORDER);
    sim.acknowledge(ORDER);
    sim.publish(ORDER, "canceled");
    assert_eq!(sim.grants(ORDER), 1);
    // A shop that tracks what is in its list whenever it is opened.
    sim.track(ORDER);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1, "granted, refunded, granted");
}

#[test]
fn an_empty_list_from_a_lagging_answer_does_not_wipe_the_items_out() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.pass(seconds(5));
    let empty = Report {
        items: Some(Vec::new()),
        ..report("paid")
    };
    sim.answer(Ok(empty));
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert!(
        sim.notices
            .iter()
            .any(|n| matches!(n, Notice::Done(done) if done.items == sword())),
        "{:?}",
        sim.notices.last()
    );
}

#[test]
fn an_order_that_had_no_items_when_it_was_new_is_looked_at_again_when_it_is_done() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    let empty = Report {
        items: Some(Vec::new()),
        ..report("new")
    };
    sim.answer(Ok(empty));
    sim.socket_is_live(true);
    sim.publish(ORDER, "done");
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert!(
        sim.notices
            .iter()
            .any(|n| matches!(n, Notice::Done(done) if done.items == sword())),
        "a paid order was granted with nothing in it"
    );
}

#[test]
fn a_wait_that_one_server_imposed_does_not_bind_another() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Err(RequestError::Status {
        status: 429,
        code: None,
        message: None,
        transaction_id: None,
        retry_after: Some(seconds(3600)),
    }));
    let mut config = sim.config.clone();
    config.store_url = "https://example.com/api".to_owned();
    sim.configure(Some(config));
    sim.pass(seconds(60));
    assert!(sim.requests_sent() > 1);
}

#[test]
fn a_changed_tracking_timeout_counts_for_orders_that_are_open() {
    let mut sim = live_with(&[ORDER]);
    let mut config = sim.config.clone();
    config.tracking_timeout = seconds(72 * 3600);
    sim.configure(Some(config));
    sim.pass_answering(seconds(30 * 3600), &Ok(report("new")));
    assert_eq!(sim.failures(), Vec::<&TrackingError>::new());
}

#[test]
fn a_token_that_lapses_for_a_moment_before_the_deadline_does_not_reset_or_break_it() {
    let mut sim = live_with(&[ORDER]);
    sim.socket_ends(SocketError::Refused {
        code: 101,
        message: String::new(),
        temporary: false,
    });
    assert_eq!(
        *sim.state(),
        TrackerState::Polling {
            reason: sim.machine.players[&alice()].trouble.clone(),
            requests: None,
        },
        "no reconnecting goes on: a refused socket waits for a token"
    );
}
