//! Connecting, pings, and the end of a connection.

use std::time::Duration;

use serde_json::json;

use super::{CONNECTED, DATA, NOW, caught_up, frames, opened, receive, session};
use crate::model::error::{ConnectStep, SocketError};

#[test]
fn the_first_frames_are_those_that_servers_were_seen_to_take() {
    let mut session = session();
    session.open(DATA, NOW);
    let connect = json!({"id":1,"connect":{"data":{"auth":"JWT","project_id":1}}});
    assert_eq!(frames(&mut session), [connect]);
    receive(&mut session, CONNECTED);
    let history = json!({"id":2,"history":{"channel":"CH","limit":-1,"since":{"offset":0}}});
    assert_eq!(frames(&mut session), [history]);
}

#[test]
fn each_step_of_connecting_has_a_deadline() {
    let mut session = opened();
    let late = NOW + Duration::from_secs(10);
    let error = Err(SocketError::TimedOut(ConnectStep::Connect));
    assert_eq!(session.check_deadlines(late), error);
    receive(&mut session, r#"{"id":1,"connect":{"client":"uuid"}}"#);
    let error = Err(SocketError::TimedOut(ConnectStep::Subscribe));
    assert_eq!(session.check_deadlines(late), error);
    receive(
        &mut session,
        r#"{"push":{"channel":"CH","subscribe":{"recoverable":true,"epoch":"e","offset":0}}}"#,
    );
    receive(&mut session, r#"{"id":2,"history":{"epoch":"e"}}"#);
    assert_eq!(session.check_deadlines(late), Ok(()));
    assert_eq!(session.deadline(), None, "this server sends no pings");
}

#[test]
fn a_ping_is_answered_and_a_missing_one_ends_the_connection() {
    let mut session = caught_up();
    receive(&mut session, "{}");
    assert_eq!(frames(&mut session), [json!({})]);
    let deadline = NOW + Duration::from_secs(35);
    assert_eq!(session.deadline(), Some(deadline));
    session
        .check_deadlines(deadline - Duration::from_millis(1))
        .unwrap();
    assert_eq!(
        session.check_deadlines(deadline),
        Err(SocketError::PingMissing)
    );
}

#[test]
fn no_pong_is_sent_where_none_is_wanted() {
    let mut session = opened();
    receive(
        &mut session,
        r#"{"id":1,"connect":{"subs":{"CH":{}},"ping":25}}"#,
    );
    frames(&mut session);
    receive(&mut session, "{}");
    assert!(frames(&mut session).is_empty());

    let mut session = opened();
    receive(&mut session, CONNECTED);
    frames(&mut session);
    receive(&mut session, r#"{"something":"new"}"#);
    assert!(frames(&mut session).is_empty(), "that was no ping");
}

#[test]
fn a_frame_full_of_pings_is_answered_once() {
    let mut session = caught_up();
    receive(&mut session, &"{}\n".repeat(100_000));
    let pongs = std::iter::from_fn(|| session.next_frame()).count();
    assert!(pongs < 10, "{pongs} frames to send for one received");
}

#[test]
fn refusals_and_closes_are_told_apart() {
    for (frame, is_unauthorized, is_terminal) in [
        (
            r#"{"id":1,"error":{"code":101,"message":"unauthorized"}}"#,
            true,
            true,
        ),
        (
            r#"{"id":1,"error":{"code":109,"message":"token expired"}}"#,
            true,
            true,
        ),
        (
            r#"{"id":1,"error":{"code":107,"message":"bad request"}}"#,
            false,
            true,
        ),
        (
            r#"{"id":1,"error":{"code":100,"message":"internal"}}"#,
            false,
            false,
        ),
        (r#"{"id":1,"error":{"code":111}}"#, false, false),
        (
            r#"{"id":1,"error":{"code":999,"temporary":true}}"#,
            false,
            false,
        ),
        (
            r#"{"push":{"disconnect":{"code":3500,"reason":"invalid token"}}}"#,
            true,
            true,
        ),
        (
            r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#,
            false,
            false,
        ),
    ] {
        let error = opened().receive(frame, NOW).unwrap_err();
        assert_eq!(error.is_unauthorized(), is_unauthorized, "{frame}");
        assert_eq!(error.is_terminal(), is_terminal, "{frame}");
    }
}
