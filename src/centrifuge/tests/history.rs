//! The history of a channel, and live publications beside it.

use std::time::Duration;

use serde_json::json;

use super::super::session::{Event, Session};
use super::{CONNECTED, DATA, NOW, events, frames, opened, receive};

#[test]
fn a_live_publication_does_not_wait_for_the_history_which_does_not_repeat_it() {
    let mut session = opened();
    receive(&mut session, CONNECTED);
    receive(
        &mut session,
        r#"{"push":{"channel":"CH","pub":{"data":3,"offset":3}}}"#,
    );
    // The history may never be answered.
    assert_eq!(events(&mut session), [json!(3)]);
    receive(
        &mut session,
        r#"{"id":2,"history":{"publications":[{"data":1,"offset":1},{"data":2,"offset":2},{"data":3,"offset":3}],"epoch":"yWTW","offset":3}}"#,
    );
    receive(
        &mut session,
        r#"{"push":{"channel":"CH","pub":{"data":4,"offset":4}}}"#,
    );
    assert_eq!(
        events(&mut session),
        [json!(1), json!(2), json!({"recovered":true}), json!(4)]
    );
}

#[test]
fn a_long_history_is_read_page_by_page() {
    let mut session = opened();
    receive(&mut session, CONNECTED);
    frames(&mut session);
    receive(
        &mut session,
        r#"{"id":2,"history":{"publications":[{"data":1,"offset":1}],"epoch":"yWTW","offset":2}}"#,
    );
    let next =
        json!({"id":3,"history":{"channel":"CH","limit":-1,"since":{"offset":1,"epoch":"yWTW"}}});
    assert_eq!(frames(&mut session), [next]);
    receive(
        &mut session,
        r#"{"id":3,"history":{"publications":[{"data":2,"offset":2}],"epoch":"yWTW","offset":2}}"#,
    );
    assert_eq!(
        events(&mut session),
        [json!(1), json!(2), json!({"recovered":true})]
    );
}

#[test]
fn refused_or_missing_history_stops_nothing_and_leaves_a_gap() {
    for refusal in [
        r#"{"id":2,"error":{"code":108,"message":"not available"}}"#,
        r#"{"id":2,"error":{"code":103}}"#,
        r#"{"id":2}"#,
        "late",
    ] {
        let mut session = opened();
        receive(&mut session, CONNECTED);
        receive(
            &mut session,
            r#"{"push":{"channel":"CH","pub":{"data":3,"offset":3}}}"#,
        );
        if refusal == "late" {
            assert_eq!(session.deadline(), Some(NOW + Duration::from_secs(10)));
            session
                .check_deadlines(NOW + Duration::from_secs(10))
                .unwrap();
        } else {
            receive(&mut session, refusal);
        }
        assert_eq!(events(&mut session), [json!(3), json!({"recovered":false})]);
    }
}

#[test]
fn a_first_history_that_has_lost_its_beginning_is_not_called_recovered() {
    for reply in [
        // The server has dropped all of it.
        r#"{"id":2,"history":{"epoch":"yWTW","offset":2}}"#,
        // The server has dropped its beginning.
        r#"{"id":2,"history":{"publications":[{"data":2,"offset":2}],"epoch":"yWTW","offset":2}}"#,
    ] {
        let mut session = opened();
        receive(&mut session, CONNECTED);
        receive(&mut session, reply);
        assert_eq!(
            events(&mut session).last(),
            Some(&json!({"recovered": false})),
            "{reply}"
        );
    }
}

#[test]
fn without_history_the_first_publication_is_no_gap() {
    let mut session = opened();
    receive(&mut session, CONNECTED);
    receive(&mut session, r#"{"id":2,"error":{"code":108}}"#);
    events(&mut session);
    receive(
        &mut session,
        r#"{"push":{"channel":"CH","pub":{"data":3,"offset":3}}}"#,
    );
    assert_eq!(events(&mut session), [json!(3)]);
}

#[test]
fn all_was_heard_once_what_the_server_keeps_was_read_and_until_something_is_missed() {
    let heard_all = |session: &mut Session| {
        let heard = std::iter::from_fn(|| session.next_event()).filter_map(|event| match event {
            Event::Subscribed { heard_all, .. } => Some(heard_all),
            Event::Publication(_) => None,
        });
        heard.last()
    };
    for (reply, expected) in [
        (
            r#"{"id":2,"history":{"publications":[{"data":1,"offset":1},{"data":2,"offset":2}],"epoch":"yWTW","offset":2}}"#,
            true,
        ),
        // What the server has dropped does not come any more.
        (
            r#"{"id":2,"history":{"publications":[{"data":2,"offset":2}],"epoch":"yWTW","offset":2}}"#,
            true,
        ),
        (r#"{"id":2,"history":{"epoch":"yWTW","offset":2}}"#, true),
        (r#"{"id":2,"error":{"code":108}}"#, false),
        (
            r#"{"id":2,"history":{"publications":[],"epoch":"other","offset":0}}"#,
            false,
        ),
    ] {
        let mut session = opened();
        receive(&mut session, CONNECTED);
        receive(&mut session, reply);
        assert_eq!(heard_all(&mut session), Some(expected), "{reply}");
        // The next connection goes on where this one stopped, and tells no more of what came before.
        session.open(DATA, NOW);
        session.next_frame();
        receive(
            &mut session,
            r#"{"id":1,"connect":{"subs":{"CH":{"recoverable":true,"epoch":"yWTW","recovered":true,"offset":2,"positioned":true}}}}"#,
        );
        assert_eq!(heard_all(&mut session), Some(expected), "{reply}");
        receive(
            &mut session,
            r#"{"push":{"channel":"CH","pub":{"data":4,"offset":4}}}"#,
        );
        assert_eq!(heard_all(&mut session), Some(false), "one is missing");
    }
}
