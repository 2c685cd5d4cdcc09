//! The session against frames as real servers send them.

mod connecting;
mod history;
mod limits;
mod recovery;
mod stream;

use std::time::Duration;

use serde_json::{Value, json};

use super::session::{Event, Session, Settings};

const NOW: Duration = Duration::from_secs(100);

const CONNECTED: &str = r#"{"id":1,"connect":{"client":"uuid","version":"0.0.0","subs":{"CH":{"recoverable":true,"epoch":"yWTW","offset":2,"positioned":true}},"ping":25,"pong":true}}"#;

fn session() -> Session {
    Session::new(Settings {
        step_timeout: Duration::from_secs(10),
        ping_grace: Duration::from_secs(10),
    })
}

/// The data of the `connect` command.
const DATA: &str = r#"{"auth":"JWT","project_id":1}"#;

/// Returns an open session whose first frame was taken out.
fn opened() -> Session {
    let mut session = session();
    session.open(DATA, NOW);
    session.next_frame().unwrap();
    session
}

/// Returns a connected session that has read both publications of the stream.
fn caught_up() -> Session {
    let mut session = opened();
    receive(&mut session, CONNECTED);
    receive(
        &mut session,
        r#"{"id":2,"history":{"publications":[{"data":1,"offset":1},{"data":2,"offset":2}],"epoch":"yWTW","offset":2}}"#,
    );
    events(&mut session);
    while session.next_frame().is_some() {}
    session
}

fn frames(session: &mut Session) -> Vec<Value> {
    let frames = std::iter::from_fn(|| session.next_frame());
    frames.map(|f| serde_json::from_str(&f).unwrap()).collect()
}

/// Returns the events as JSON: a publication as its data, and `Subscribed` as an object.
fn events(session: &mut Session) -> Vec<Value> {
    std::iter::from_fn(|| session.next_event())
        .map(|event| match event {
            Event::Publication(data) => serde_json::from_str(data.get()).unwrap(),
            Event::Subscribed { recovered, .. } => json!({ "recovered": recovered }),
        })
        .collect()
}

fn receive(session: &mut Session, frame: &str) {
    session.receive(frame, NOW).unwrap();
}
