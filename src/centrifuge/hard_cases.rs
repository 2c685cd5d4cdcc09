//! Streams that begin anew, channels that go away, frames that end in an error, floods.

use serde_json::{Value, json};

use super::session::Session;
use super::tests::{CONNECTED, NOW, data, events, session};

const RECOVERED: &str = r#"{"id":1,"connect":{"client":"uuid","subs":{"CH":{"recoverable":true,"recovered":true,"epoch":"yWTW","offset":2,"positioned":true}},"ping":25,"pong":true}}"#;

/// Connected, with both publications of the stream read.
fn caught_up() -> Session {
    let mut session = session();
    session.open(&data(), NOW);
    session.receive(CONNECTED, NOW).unwrap();
    session
        .receive(
            r#"{"id":2,"history":{"publications":[{"data":1,"offset":1},{"data":2,"offset":2}],"epoch":"yWTW","offset":2}}"#,
            NOW,
        )
        .unwrap();
    events(&mut session);
    while session.next_frame().is_some() {}
    session
}

#[test]
fn a_new_connection_is_not_caught_up_by_what_the_last_one_left_behind() {
    let mut session = caught_up();
    session.open(&data(), NOW);
    // The reply, and in the same frame the server's goodbye.
    let frame = format!(
        "{RECOVERED}\n{}",
        r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#
    );
    session.receive(&frame, NOW).unwrap_err();
    session.open(&data(), NOW);
    assert_eq!(
        events(&mut session),
        Vec::<Value>::new(),
        "before any reply"
    );
}

#[test]
fn a_stream_that_began_anew_under_a_live_connection_is_not_silently_ignored() {
    let mut session = caught_up();
    session
        .receive(
            r#"{"push":{"channel":"CH","pub":{"data":{"order_id":1,"status":"done"},"offset":1}}}"#,
            NOW,
        )
        .unwrap();
    assert_ne!(
        events(&mut session),
        Vec::<Value>::new(),
        "neither the news nor a gap was told"
    );
}

#[test]
fn a_first_history_that_has_lost_its_beginning_is_not_called_recovered() {
    for reply in [
        // All of it was dropped.
        r#"{"id":2,"history":{"epoch":"yWTW","offset":2}}"#,
        // Its beginning was.
        r#"{"id":2,"history":{"publications":[{"data":2,"offset":2}],"epoch":"yWTW","offset":2}}"#,
    ] {
        let mut session = session();
        session.open(&data(), NOW);
        session.receive(CONNECTED, NOW).unwrap();
        session.receive(reply, NOW).unwrap();
        assert_eq!(
            events(&mut session).last(),
            Some(&json!({"recovered": false})),
            "{reply}"
        );
    }
}

#[test]
fn a_channel_that_the_next_connection_lacks_is_a_gap_when_it_is_back() {
    let mut session = caught_up();
    session.open(&data(), NOW);
    session.receive(r#"{"id":1,"connect":{}}"#, NOW).unwrap();
    session
        .receive(r#"{"push":{"channel":"CH","subscribe":{"recoverable":true,"epoch":"yWTW","offset":9}}}"#, NOW)
        .unwrap();
    session
        .receive(r#"{"id":2,"history":{"publications":[{"data":1,"offset":1}],"epoch":"yWTW","offset":1}}"#, NOW)
        .unwrap();
    assert_eq!(
        events(&mut session).last(),
        Some(&json!({"recovered": false}))
    );
}

#[test]
fn losing_one_of_two_channels_does_not_go_unsaid() {
    let mut session = session();
    session.open(&data(), NOW);
    session
        .receive(r#"{"id":1,"connect":{"subs":{"A":{},"B":{}}}}"#, NOW)
        .unwrap();
    session
        .receive(r#"{"id":2,"error":{"code":108}}"#, NOW)
        .unwrap();
    session
        .receive(r#"{"id":3,"error":{"code":108}}"#, NOW)
        .unwrap();
    events(&mut session);
    let outcome = session.receive(
        r#"{"push":{"channel":"A","unsubscribe":{"code":2500}}}"#,
        NOW,
    );
    let is_told =
        outcome.is_err() || !events(&mut session).is_empty() || session.deadline().is_some();
    assert!(
        is_told,
        "still live, for ever, without the channel that brings the news"
    );
}

#[test]
fn a_frame_full_of_pings_is_answered_once() {
    let mut session = caught_up();
    session.receive(&"{}\n".repeat(100_000), NOW).unwrap();
    let pongs = std::iter::from_fn(|| session.next_frame()).count();
    assert!(pongs < 10, "{pongs} frames to send for one received");
}

#[test]
fn what_waits_for_history_is_bounded_in_number_and_each_in_size() {
    let mut session = session();
    session.open(&data(), NOW);
    session.receive(CONNECTED, NOW).unwrap();
    let publication = |data: &str, offset: u32| {
        format!(r#"{{"push":{{"channel":"CH","pub":{{"data":"{data}","offset":{offset}}}}}}}"#)
    };
    // Too long to be news of an order.
    for offset in 3..900 {
        let long = publication(&"x".repeat(100_000), offset);
        session.receive(&long, NOW).unwrap();
    }
    let waits_for = (900..2_000).find(|offset| {
        session.receive(&publication("x", *offset), NOW).unwrap();
        session.has_event()
    });
    assert!(waits_for.is_some_and(|offset| offset < 900 + 300));
    assert!(
        events(&mut session)
            .iter()
            .all(|event| event.to_string().len() < 100)
    );
}

#[test]
fn without_history_the_first_publication_is_no_gap() {
    let mut session = session();
    session.open(&data(), NOW);
    session.receive(CONNECTED, NOW).unwrap();
    session
        .receive(r#"{"id":2,"error":{"code":108}}"#, NOW)
        .unwrap();
    events(&mut session);
    session
        .receive(
            r#"{"push":{"channel":"CH","pub":{"data":3,"offset":3}}}"#,
            NOW,
        )
        .unwrap();
    assert_eq!(events(&mut session), [json!(3)]);
}
