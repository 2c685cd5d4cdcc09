//! The session against frames as real servers send them, and against a stream that drops, forgets,
//! begins anew and repeats itself.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::session::{Event, Session, Settings};
use crate::model::error::{ConnectStep, SocketError};

pub(super) const NOW: Duration = Duration::from_secs(100);

pub(super) fn session() -> Session {
    Session::new(Settings {
        step_timeout: Duration::from_secs(10),
        ping_grace: Duration::from_secs(10),
    })
}

pub(super) fn data() -> Box<RawValue> {
    RawValue::from_string(r#"{"auth":"JWT","project_id":1}"#.to_owned()).unwrap()
}

/// Opened, with the first frame taken out.
fn opened() -> Session {
    let mut session = session();
    session.open(&data(), NOW);
    session.next_frame().unwrap();
    session
}

pub(super) fn frames(session: &mut Session) -> Vec<Value> {
    let frames = std::iter::from_fn(|| session.next_frame());
    frames.map(|f| serde_json::from_str(&f).unwrap()).collect()
}

/// Publications as their data, `Subscribed` as whether it was recovered.
pub(super) fn events(session: &mut Session) -> Vec<Value> {
    std::iter::from_fn(|| session.next_event())
        .map(|event| match event {
            Event::Publication(data) => serde_json::from_str(data.get()).unwrap(),
            Event::Subscribed { recovered } => json!({ "recovered": recovered }),
        })
        .collect()
}

fn receive(session: &mut Session, frame: &str) {
    session.receive(frame, NOW).unwrap();
}

pub(super) const CONNECTED: &str = r#"{"id":1,"connect":{"client":"uuid","version":"0.0.0","subs":{"CH":{"recoverable":true,"epoch":"yWTW","offset":2,"positioned":true}},"ping":25,"pong":true}}"#;

#[test]
fn the_first_frames_are_those_that_servers_were_seen_to_take() {
    let mut session = session();
    session.open(&data(), NOW);
    let connect = json!({"id":1,"connect":{"data":{"auth":"JWT","project_id":1}}});
    assert_eq!(frames(&mut session), [connect]);
    receive(&mut session, CONNECTED);
    let history = json!({"id":2,"history":{"channel":"CH","limit":-1,"since":{"offset":0}}});
    assert_eq!(frames(&mut session), [history]);
}

#[test]
fn a_live_publication_does_not_wait_for_the_history_and_comes_once() {
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
fn the_next_connection_recovers_by_epoch_and_offset() {
    let mut session = opened();
    receive(&mut session, CONNECTED);
    receive(
        &mut session,
        r#"{"id":2,"history":{"epoch":"yWTW","offset":2}}"#,
    );
    session.open(&data(), NOW);
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
    let mut session = opened();
    receive(&mut session, CONNECTED);
    receive(
        &mut session,
        r#"{"id":2,"history":{"epoch":"yWTW","offset":2}}"#,
    );
    session.open(&data(), NOW);
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
fn a_ping_is_answered_and_a_missing_one_ends_the_connection() {
    let mut session = opened();
    receive(&mut session, CONNECTED);
    receive(
        &mut session,
        r#"{"id":2,"history":{"epoch":"yWTW","offset":2}}"#,
    );
    frames(&mut session);
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
    // They went through without the history.
    let events = events(&mut session);
    assert_eq!(events.iter().filter(|event| event.is_u64()).count(), 4_997);
    assert!(events.contains(&json!({"recovered":false})));
}

/// The server's side of a channel.
struct Stream {
    epoch: u32,
    publications: Vec<u64>,
    /// What retention has taken: publications up to this offset are gone.
    dropped: usize,
    page: usize,
}

impl Stream {
    fn since(&self, offset: usize) -> Vec<Value> {
        let from = offset.max(self.dropped).min(self.publications.len());
        let publications = self.publications[from..].iter().enumerate();
        publications
            .map(|(n, data)| json!({"data": data, "offset": from + n + 1}))
            .collect()
    }

    fn top(&self) -> usize {
        self.publications.len()
    }

    fn connect(&self, command: &Value) -> Value {
        let wanted = &command["connect"]["subs"]["CH"];
        let offset = usize::try_from(wanted["offset"].as_u64().unwrap_or(0)).unwrap();
        let epoch = format!("e{}", self.epoch);
        let is_recoverable =
            wanted["epoch"] == json!(epoch) && offset >= self.dropped && offset <= self.top();
        let mut sub =
            json!({"recoverable":true,"positioned":true,"epoch":epoch,"offset":self.top()});
        if is_recoverable {
            sub["recovered"] = json!(true);
            sub["publications"] = json!(self.since(offset));
        }
        json!({"id":command["id"],"connect":{"subs":{"CH":sub}}})
    }

    fn history(&self, command: &Value) -> Value {
        let since = &command["history"]["since"];
        let offset = usize::try_from(since["offset"].as_u64().unwrap_or(0)).unwrap();
        let epoch = format!("e{}", self.epoch);
        if since["epoch"].is_string() && since["epoch"] != json!(epoch) {
            return json!({"id":command["id"],"error":{"code":112}});
        }
        let mut page = self.since(offset);
        page.truncate(self.page);
        json!({"id":command["id"],
               "history":{"publications":page,"epoch":epoch,"offset":self.top()}})
    }
}

/// Whatever happens to stream and connection: no publication comes twice, and if one is missing the
/// session has said that there was a gap.
#[test]
fn publications_come_once_and_gaps_are_admitted() {
    for seed in 0..3_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut stream = Stream {
            epoch: 0,
            publications: Vec::new(),
            dropped: 0,
            page: random.usize(1..5),
        };
        let mut published = BTreeSet::new();
        let mut session = session();
        let mut seen: Vec<u64> = Vec::new();
        let mut gaps = 0;
        let mut was_lossy = false;
        for _ in 0..random.usize(1..8) {
            // While nobody is connected.
            for _ in 0..random.usize(0..4) {
                match random.u32(0..8) {
                    0 => {
                        stream.epoch += 1;
                        // What was published and not seen in the old epoch cannot be had any more.
                        was_lossy |= stream.top() > 0;
                        stream.publications.clear();
                        stream.dropped = 0;
                    }
                    1 => {
                        was_lossy |= stream.dropped < stream.top();
                        stream.dropped = stream.top();
                    }
                    _ => publish(&mut stream, &mut published),
                }
            }
            session.open(&data(), NOW);
            let mut to_answer: Vec<Value> = Vec::new();
            for _ in 0..random.usize(0..20) {
                to_answer.extend(frames(&mut session));
                if random.bool() && !to_answer.is_empty() {
                    let command = to_answer.remove(0);
                    let reply = if command["connect"].is_object() {
                        stream.connect(&command)
                    } else {
                        stream.history(&command)
                    };
                    receive(&mut session, &reply.to_string());
                } else if random.bool() && to_answer.iter().all(|c| c["connect"].is_null()) {
                    publish(&mut stream, &mut published);
                    let frame =
                        json!({"push":{"channel":"CH","pub":stream.since(stream.top() - 1)[0]}});
                    for _ in 0..random.u32(1..3) {
                        receive(&mut session, &frame.to_string());
                    }
                }
                note(&mut session, &mut seen, &mut gaps);
            }
            note(&mut session, &mut seen, &mut gaps);
        }
        // One last connection that gets all its answers.
        session.open(&data(), NOW);
        while let Some(command) = frames(&mut session).pop() {
            let reply = if command["connect"].is_object() {
                stream.connect(&command)
            } else {
                stream.history(&command)
            };
            receive(&mut session, &reply.to_string());
        }
        note(&mut session, &mut seen, &mut gaps);

        let distinct: BTreeSet<u64> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "seed {seed}: {seen:?}");
        let missing = published.iter().filter(|n| !seen.contains(n)).count();
        assert!(
            missing == 0 || was_lossy,
            "seed {seed}: lost {missing} for nothing"
        );
        if missing > 0 && session_knew_before(&seen) {
            assert!(
                gaps > 0,
                "seed {seed}: {missing} missing and no gap admitted"
            );
        }
    }
}

fn publish(stream: &mut Stream, published: &mut BTreeSet<u64>) {
    let next = published.len() as u64 + 1;
    published.insert(next);
    stream.publications.push(next);
}

fn note(session: &mut Session, seen: &mut Vec<u64>, gaps: &mut u32) {
    for event in events(session) {
        match event.as_u64() {
            Some(publication) => seen.push(publication),
            None => *gaps += u32::from(event["recovered"] == json!(false)),
        }
    }
}

/// What a stream lost before the session first saw it is not the session's to admit: the first Get
/// Order tells.
fn session_knew_before(seen: &[u64]) -> bool {
    seen.first() == Some(&1)
}
