//! Recovery by the next connection, streams that begin anew, and channels that are lost.

use serde_json::{Value, json};

use super::{DATA, NOW, caught_up, events, frames, opened, receive};

const RECOVERED: &str = r#"{"id":1,"connect":{"client":"uuid","subs":{"CH":{"recoverable":true,"recovered":true,"epoch":"yWTW","offset":2,"positioned":true}},"ping":25,"pong":true}}"#;

#[test]
fn the_next_connection_recovers_by_epoch_and_offset() {
    let mut session = caught_up();
    session.open(DATA, NOW);
    let connect = frames(&mut session).pop().unwrap();
    assert_eq!(
        connect["connect"]["subs"],
        json!({"CH":{"recover":true,"epoch":"yWTW","offset":2}})
    );
    events(&mut session);
    receive(
        &mut session,
        r#"{"id":1,"connect":{"subs":{"CH":{"recoverable":true,"epoch":"yWTW","publications":[{"data":3,"offset":3}],"recovered":true,"offset":3,"positioned":true,"was_recovering":true}}}}"#,
    );
    assert_eq!(events(&mut session), [json!(3), json!({"recovered":true})]);
    assert!(frames(&mut session).is_empty(), "no history is needed");
}

#[test]
fn a_new_epoch_is_read_from_its_start_and_leaves_a_gap() {
    let mut session = caught_up();
    session.open(DATA, NOW);
    frames(&mut session);
    events(&mut session);
    receive(
        &mut session,
        r#"{"id":1,"connect":{"subs":{"CH":{"recoverable":true,"epoch":"NEW","offset":1,"was_recovering":true}}}}"#,
    );
    assert_eq!(
        frames(&mut session)[0]["history"]["since"],
        json!({"offset":0})
    );
    receive(
        &mut session,
        r#"{"id":2,"history":{"publications":[{"data":1,"offset":1}],"epoch":"NEW","offset":1}}"#,
    );
    assert_eq!(events(&mut session), [json!(1), json!({"recovered":false})]);
}

#[test]
fn a_new_connection_is_not_caught_up_by_what_the_last_one_left_behind() {
    let mut session = caught_up();
    session.open(DATA, NOW);
    // The reply and the server's disconnect come in the same frame.
    let frame = format!(
        "{RECOVERED}\n{}",
        r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#
    );
    session.receive(&frame, NOW).unwrap_err();
    session.open(DATA, NOW);
    assert_eq!(
        events(&mut session),
        Vec::<Value>::new(),
        "before any reply"
    );
}

#[test]
fn a_stream_that_began_anew_under_a_live_connection_is_not_silently_ignored() {
    let mut session = caught_up();
    receive(
        &mut session,
        r#"{"push":{"channel":"CH","pub":{"data":{"order_id":1,"status":"done"},"offset":1}}}"#,
    );
    assert_ne!(
        events(&mut session),
        Vec::<Value>::new(),
        "neither the news nor a gap was told"
    );
}

#[test]
fn a_channel_that_the_next_connection_lacks_is_a_gap_when_it_is_back() {
    let mut session = caught_up();
    session.open(DATA, NOW);
    receive(&mut session, r#"{"id":1,"connect":{}}"#);
    receive(
        &mut session,
        r#"{"push":{"channel":"CH","subscribe":{"recoverable":true,"epoch":"yWTW","offset":9}}}"#,
    );
    receive(
        &mut session,
        r#"{"id":2,"history":{"publications":[{"data":1,"offset":1}],"epoch":"yWTW","offset":1}}"#,
    );
    assert_eq!(
        events(&mut session).last(),
        Some(&json!({"recovered": false}))
    );
}

#[test]
fn losing_one_of_two_channels_does_not_go_unsaid() {
    let mut session = opened();
    receive(
        &mut session,
        r#"{"id":1,"connect":{"subs":{"A":{},"B":{}}}}"#,
    );
    receive(&mut session, r#"{"id":2,"error":{"code":108}}"#);
    receive(&mut session, r#"{"id":3,"error":{"code":108}}"#);
    events(&mut session);
    let outcome = session.receive(
        r#"{"push":{"channel":"A","unsubscribe":{"code":2500}}}"#,
        NOW,
    );
    let is_told =
        outcome.is_err() || !events(&mut session).is_empty() || session.deadline().is_some();
    assert!(
        is_told,
        "the session is live without the channel that brings the news"
    );
}
