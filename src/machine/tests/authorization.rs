//! Tests of tokens that are refused, replaced, and taken away.

use super::*;

fn unauthorized() -> Result<Report, RequestError> {
    Err(http(401))
}

#[test]
fn a_refused_token_is_told_once_and_nothing_is_asked_until_there_is_another() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.track(OrderId(2));
    sim.pass_answering(seconds(3600), &unauthorized());
    assert_eq!(sim.authorizations_required(), 1);
    assert_eq!(sim.requests_sent(), 2);
    assert!(matches!(sim.state(), TrackerState::Unauthorized { .. }));

    sim.log_in();
    sim.pass_answering(seconds(1), &Ok(report("done")));
    assert_eq!((sim.grants(ORDER), sim.grants(OrderId(2))), (1, 1));
    assert!(sim.failures().is_empty());
}

#[test]
fn each_refused_token_is_told_of_and_no_loop_arises() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    for tokens in 1..=5 {
        sim.pass_answering(seconds(3600), &unauthorized());
        assert_eq!(sim.authorizations_required(), tokens);
        assert_eq!(sim.requests_sent(), tokens);
        sim.log_in();
    }
}

#[test]
fn a_token_that_only_the_socket_refuses_is_told_of_while_polling_goes_on() {
    for reason in [
        closed(3500),
        SocketError::Refused {
            code: 109,
            message: "token expired".to_owned(),
            temporary: false,
        },
    ] {
        let mut sim = Sim::new();
        sim.track(ORDER);
        sim.tick();
        sim.answer(Ok(report("new")));
        sim.socket_ends(reason.clone());
        assert_eq!(sim.authorizations_required(), 1);
        sim.pass_answering(seconds(3600), &Ok(report("new")));
        assert_eq!(sim.sockets_opened, 1, "no other socket with the same token");
        assert_eq!(sim.authorizations_required(), 1);
        let polling = TrackerState::Polling {
            reason: Some(reason),
            requests: None,
        };
        assert_eq!(*sim.state(), polling);
        sim.pass_answering(seconds(60), &Ok(report("done")));
        assert_eq!(sim.grants(ORDER), 1);
    }
}

#[test]
fn a_new_token_opens_the_socket_that_the_old_one_could_not() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_ends(closed(3500));
    sim.log_in();
    assert_eq!(sim.sockets_opened, 2);
}

#[test]
fn a_refreshed_token_disturbs_nothing_that_works() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    sim.log_in();
    sim.pass(seconds(10));
    assert_eq!((sim.sockets_opened, sim.requests_sent()), (1, 1));
    assert_eq!(*sim.state(), TrackerState::Live);
}

#[test]
fn a_live_socket_still_brings_its_news_when_requests_are_refused() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.track(OrderId(u64::MAX));
    sim.tick();
    sim.answer(Ok(report("new")));
    sim.socket_is_live(true);
    sim.answer(unauthorized());
    sim.publish(ORDER, "done");
    assert_eq!(sim.statuses(), ["new", "done"]);
    // Only an answer lists the items, and it needs the next token.
    assert_eq!(sim.grants(ORDER), 0);
    sim.log_in();
    sim.pass_answering(seconds(1), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
    // When the socket's lifetime is over, no other one is opened.
    sim.pass(seconds(600));
    assert_eq!((sim.sockets_opened, sim.socket), (1, None));
}

#[test]
fn logging_out_stops_everything_and_logging_in_resumes_it() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.tick();
    sim.socket_is_live(true);
    let (_, request) = sim.requests[0];
    sim.log_out();
    assert_eq!((sim.socket, sim.requests.len()), (None, 0));
    assert_eq!(*sim.state(), TrackerState::NoUser);
    // The answer to the earlier request counts for nobody now.
    let answer = Answer::Order(Ok(report("done")));
    sim.handle(Input::Answered { request, answer });
    sim.pass(seconds(48 * 3600));
    assert_eq!((sim.grants(ORDER), sim.requests_sent()), (0, 1));
    assert!(sim.failures().is_empty());

    sim.log_in();
    sim.tick();
    assert_eq!(sim.sockets_opened, 2);
    sim.answer(Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn after_log_out_a_late_publication_grants_nothing_to_whoever_plays_now() {
    let mut sim = live_with(&[ORDER]);
    sim.log_out();
    // The publication was queued behind the log-out, or read while the socket was closing.
    sim.publish(ORDER, "done");
    assert_eq!(sim.grants(ORDER), 0, "nobody is logged in to take it");
    sim.log_in();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
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
    // All ten requests carry the dead token. The game refreshes as soon as it hears of the first.
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
    // Get Order accepts the token, but the socket answers 103 to everybody (a project without it). The game
    // does as documented: it answers `AuthorizationRequired` with a new `XsollaUser`.
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
fn a_live_socket_that_ends_with_a_refused_token_is_not_told_as_reconnecting() {
    let mut sim = live_with(&[ORDER]);
    let reason = SocketError::Refused {
        code: 101,
        message: String::new(),
        temporary: false,
    };
    sim.socket_ends(reason.clone());
    assert_eq!(
        *sim.state(),
        TrackerState::Polling {
            reason: Some(reason),
            requests: None,
        },
        "no reconnecting goes on: a refused socket waits for a token"
    );
}

#[test]
fn the_page_of_a_firewall_does_not_refuse_the_token() {
    for status in [401, 403] {
        let mut sim = Sim::new();
        sim.track(ORDER);
        sim.pass_answering(seconds(60), &Err(foreign(status)));
        assert_eq!(sim.authorizations_required(), 0);
        let asked = sim.requests_sent();
        assert!((2..=20).contains(&asked), "{asked} requests in a minute");
        sim.pass_answering(seconds(30), &Ok(report("done")));
        assert_eq!(sim.grants(ORDER), 1, "nothing was stopped");
    }
}

#[test]
fn the_same_token_inserted_again_is_a_wish_to_try_it_again() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.pass_answering(seconds(60), &unauthorized());
    for _ in 0..3 {
        let asked = sim.requests_sent();
        let user = token("alice", sim.tokens);
        sim.handle(Input::LogIn {
            user,
            expires_in: None,
        });
        sim.pass_answering(seconds(60), &unauthorized());
        assert_eq!(sim.requests_sent(), asked + 1);
        assert!(matches!(sim.state(), TrackerState::Unauthorized { .. }));
    }
    assert_eq!(sim.authorizations_required(), 1, "the game knows it");
}

/// A game that answers each `AuthorizationRequired` at once with a token of this life.
fn renew_at_once(sim: &mut Sim, life: Option<Duration>, answer: &Result<Report, RequestError>) {
    let told = sim.authorizations_required();
    sim.pass_answering(seconds(1), answer);
    if sim.authorizations_required() > told {
        sim.log_in_for(life);
    }
}

#[test]
fn a_token_that_lives_for_minutes_is_replaced_once_in_its_life_and_not_before_half_of_it() {
    for minutes in [2, 4] {
        let life = Some(seconds(minutes * 60));
        let mut sim = Sim::new();
        sim.log_in_for(life);
        sim.track(ORDER);
        for _ in 0..3600 {
            renew_at_once(&mut sim, life, &Ok(report("new")));
        }
        let notices = u64::try_from(sim.authorizations_required()).unwrap();
        // One for each half life, and one for the second in which the game answers.
        assert!(
            (60 / minutes..=120 / minutes + 1).contains(&notices),
            "{notices} notices in an hour of tokens that live {minutes} minutes"
        );
    }
}

#[test]
fn a_token_that_only_looks_expired_is_used_until_a_server_refuses_it() {
    // This machine's clock is a day ahead.
    let mut sim = Sim::new();
    sim.log_in_for(Some(Duration::ZERO));
    sim.track(ORDER);
    for _ in 0..60 {
        renew_at_once(&mut sim, Some(Duration::ZERO), &Ok(report("new")));
    }
    assert_eq!(sim.authorizations_required(), 0);
    assert!(sim.requests_sent() > 0);
    for _ in 0..60 {
        renew_at_once(&mut sim, Some(Duration::ZERO), &Ok(report("done")));
    }
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn the_state_is_that_of_the_player_who_is_here() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.pass_answering(seconds(1), &Ok(report("new")));
    sim.log_out();
    assert_eq!(*sim.state(), TrackerState::NoUser);
    sim.handle(Input::LogIn {
        user: token("bob", 1),
        expires_in: None,
    });
    sim.handle(Input::Track {
        user: token("bob", 1).id().clone(),
        order_id: OrderId(2),
    });
    assert_eq!(*sim.state(), TrackerState::Connecting);
}
