//! Unusual messages, messages that break the protocol, and limits on what a server sends.

use serde_json::{Value, json};

use super::{CONNECTED, NOW, events, opened, receive};
use crate::model::error::SocketError;

#[test]
fn several_messages_in_a_frame_nulls_and_unknown_fields_are_read() {
    let mut session = opened();
    let frame = format!(
        "{}\n\n{}\r\n{}\n{}",
        r#"{"id":1,"error":null,"push":null,"connect":{"client":null,"new":[{}],"subs":{"CH":{"recoverable":null,"epoch":null,"publications":null,"tags":{"a":"b"}},"OTHER":{}},"ping":null,"pong":null}}"#,
        r#"{"id":2,"history":{"publications":null,"offset":null}}"#,
        r#"{"push":{"channel":"CH","pub":{"data":{"order_id":1},"info":{"user":"x"},"offset":null}}}"#,
        r#"{"push":{"channel":"CH","join":{"info":{}}}}"#,
    );
    receive(&mut session, &frame);
    assert_eq!(
        events(&mut session),
        [json!({"recovered":true}), json!({"order_id":1})]
    );
}

#[test]
fn what_is_no_protocol_is_an_error_without_the_servers_text() {
    for frame in [
        "nonsense",
        "{",
        "[]",
        "[1]",
        r#"{"push":7}"#,
        r#"{"id":1}"#,
        r#"{"id":"x"}"#,
    ] {
        let error = opened().receive(frame, NOW).unwrap_err();
        assert!(
            matches!(error, SocketError::Protocol(_)),
            "{frame}: {error}"
        );
        assert!(!error.to_string().contains("nonsense"));
    }
    let deep = format!("{}{}", r#"{"push":{"channel":"#, "[".repeat(100_000));
    assert!(opened().receive(&deep, NOW).is_err());
}

#[test]
fn a_value_of_another_type_is_an_error_wherever_it_stands() {
    let frame = |path: &[&str], value: &str| {
        let inner = value.to_owned();
        path.iter()
            .rev()
            .fold(inner, |inner, name| match name.strip_suffix("[]") {
                Some(name) => format!(r#"{{"{name}":[{inner}]}}"#),
                None => format!(r#"{{"{name}":{inner}}}"#),
            })
    };
    const NUMBERS: &[&[&str]] = &[
        &["error", "code"],
        &["connect", "ping"],
        &["connect", "subs", "CH", "offset"],
        &["history", "offset"],
        &["history", "publications[]", "offset"],
        &["push", "pub", "offset"],
        &["push", "disconnect", "code"],
        &["id"],
    ];
    const TEXTS: &[&[&str]] = &[
        &["error", "message"],
        &["connect", "subs", "CH", "epoch"],
        &["push", "channel"],
        &["push", "disconnect", "reason"],
    ];
    const BOOLEANS: &[&[&str]] = &[
        &["error", "temporary"],
        &["connect", "pong"],
        &["push", "subscribe", "recovered"],
    ];
    const OBJECTS: &[&[&str]] = &[
        &["error"],
        &["connect", "subs"],
        &["connect", "subs", "CH"],
        &["push", "pub"],
        &["history", "publications[]"],
        &["push", "subscribe", "publications[]"],
    ];
    const LISTS: &[&[&str]] = &[&["history", "publications"]];
    for (fields, wrong) in [
        (
            NUMBERS,
            &[
                "-1",
                "1.5",
                "1e3",
                r#""1""#,
                "true",
                "[]",
                "{}",
                "99999999999999999999",
            ][..],
        ),
        (TEXTS, &["1", "false", "[]", "{}", r#""\ud800""#]),
        (BOOLEANS, &["0", r#""true""#, "[]", "{}"]),
        (OBJECTS, &["1", "true", r#""{}""#, "[]", "[{}]"]),
        (
            LISTS,
            &["1", "true", r#""[]""#, "{}", "[1]", "[null]", "[[]]"],
        ),
    ] {
        for (path, value) in fields
            .iter()
            .flat_map(|path| wrong.iter().map(move |v| (path, v)))
        {
            let frame = frame(path, value);
            let error = opened().receive(&frame, NOW).unwrap_err();
            let SocketError::Protocol(message) = error else {
                panic!("{frame}: {error}");
            };
            assert_eq!(message, "a message has a Data error", "{frame}");
        }
    }
    // Escapes stand for themselves, in names as in values.
    let mut session = opened();
    receive(&mut session, CONNECTED);
    receive(
        &mut session,
        r#"{"pu\u0073h":{"channel":"C\u0048","pub":{"data":7}}}"#,
    );
    assert_eq!(events(&mut session), [json!(7)]);
}

#[test]
fn a_server_cannot_fill_the_memory_with_channels_or_waiting_publications() {
    let mut session = opened();
    let subs: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("CH{n}"), json!({}))).collect();
    let frame = json!({"id":1,"connect":{"subs":subs}}).to_string();
    assert!(session.receive(&frame, NOW).is_err());

    let mut session = opened();
    receive(&mut session, CONNECTED);
    for offset in 3..5_000 {
        let frame = json!({"push":{"channel":"CH","pub":{"data":offset,"offset":offset}}});
        receive(&mut session, &frame.to_string());
    }
    // The publications were passed on without the history.
    let events = events(&mut session);
    assert_eq!(events.iter().filter(|event| event.is_u64()).count(), 4_997);
    assert!(events.contains(&json!({"recovered":false})));
}

#[test]
fn what_waits_for_history_is_bounded_in_number_and_each_in_size() {
    let mut session = opened();
    receive(&mut session, CONNECTED);
    let publication = |data: &str, offset: u32| {
        format!(r#"{{"push":{{"channel":"CH","pub":{{"data":"{data}","offset":{offset}}}}}}}"#)
    };
    // This data is too long to be news of an order.
    for offset in 3..900 {
        let long = publication(&"x".repeat(100_000), offset);
        receive(&mut session, &long);
    }
    let waits_for = (900..2_000).find(|offset| {
        receive(&mut session, &publication("x", *offset));
        session.has_event()
    });
    assert!(waits_for.is_some_and(|offset| offset < 900 + 300));
    assert!(
        events(&mut session)
            .iter()
            .all(|event| event.to_string().len() < 100)
    );
}
