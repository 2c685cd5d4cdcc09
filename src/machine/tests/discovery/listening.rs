//! When a player has a socket while none of their orders is open.

use super::*;

#[test]
fn a_logged_in_player_has_one_socket_and_no_request_while_nothing_is_open() {
    let mut sim = listening(false);
    assert_eq!(*sim.state(), TrackerState::Connecting);
    sim.socket_is_live(true);
    assert_eq!(*sim.state(), TrackerState::Live);
    let lifetime = sim.config.socket_lifetime;
    sim.pass(lifetime - seconds(1));
    assert_eq!((sim.sockets_opened, sim.requests_sent()), (1, 0));
    sim.pass(seconds(2));
    assert_eq!(sim.sockets_opened, 2, "it is renewed as any");
    sim.socket_ends(lost());
    let reason = lost();
    assert_eq!(*sim.state(), TrackerState::Reconnecting { reason });
    sim.pass(seconds(1));
    assert_eq!((sim.sockets_opened, sim.requests_sent()), (3, 0));
    sim.log_out();
    assert_eq!((sim.socket, sim.state()), (None, &TrackerState::Idle));
}

#[test]
fn the_socket_stays_when_the_last_order_ends_and_goes_when_the_game_listens_no_more() {
    let mut sim = listening(false);
    sim.socket_is_live(true);
    sim.track(ORDER);
    sim.publish_purchase(ORDER);
    assert_eq!(sim.grants(ORDER), 1);
    sim.acknowledge(ORDER);
    assert!(sim.socket.is_some());
    sim.config.listen = Listen::WhileOrdersAreOpen;
    let config = sim.config.clone();
    sim.configure(Some(config));
    assert_eq!(sim.socket, None);
}

#[test]
fn a_player_of_a_server_has_no_socket_while_nothing_is_open() {
    let mut sim = listening(false);
    sim.log_out();
    sim.handle(Input::TrackAs {
        user: token("alice", 9),
        expires_in: None,
        order_id: ORDER,
    });
    sim.socket_is_live(true);
    sim.publish_purchase(ORDER);
    assert_eq!(sim.socket, None);
}

#[test]
fn a_refused_token_is_reported_though_nothing_is_open() {
    let mut sim = listening(false);
    sim.socket_ends(closed(3500));
    assert_eq!(sim.authorizations_required(), 1);
    sim.pass(seconds(60));
    assert_eq!(sim.sockets_opened, 1);
    sim.log_in();
    assert_eq!(sim.sockets_opened, 2);
}

#[test]
fn a_lost_socket_is_opened_again_with_the_next_token() {
    let mut sim = listening(false);
    sim.socket_is_live(true);
    sim.track(ORDER);
    sim.tick();
    sim.socket_ends(lost());
    sim.answer(Err(http(401)));
    assert_eq!(sim.authorizations_required(), 1);
    sim.pass(seconds(60));
    let opened = sim.sockets_opened;
    sim.log_in();
    assert_eq!(sim.sockets_opened, opened + 1);
}

#[test]
fn a_live_socket_does_not_hide_that_requests_fail() {
    let mut sim = listening(false);
    sim.socket_is_live(true);
    sim.track(ORDER);
    sim.tick();
    sim.answer(Err(foreign(403)));
    sim.publish(ORDER, "done");
    let state = sim.state();
    assert!(
        matches!(
            state,
            TrackerState::Polling {
                requests: Some(_),
                ..
            }
        ),
        "{state:?}"
    );
}
