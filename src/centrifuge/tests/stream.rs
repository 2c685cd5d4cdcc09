//! A session against a stream that drops, forgets, begins anew and repeats itself at random.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{DATA, NOW, events, frames, receive, session};
use crate::centrifuge::session::Session;

/// A channel, as the server keeps it.
struct Stream {
    epoch: u32,
    publications: Vec<u64>,
    /// The server has dropped the publications up to this offset.
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

/// Whatever happens to the stream and the connection, no publication comes twice, and if one is missing, the
/// session has reported a gap.
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
        // A publication does not name its epoch, so after this the next connection repeats some.
        let mut has_restarted = false;
        for _ in 0..random.usize(1..8) {
            // This happens while no connection is open.
            for _ in 0..random.usize(0..4) {
                match random.u32(0..8) {
                    0 => {
                        stream.epoch += 1;
                        // Publications of the old epoch that were not seen are lost.
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
            session.open(DATA, NOW);
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
                    let restarts = random.u32(0..8) == 0 && stream.top() > 1;
                    if restarts {
                        // The stream begins anew, and the connection stays open.
                        stream.epoch += 1;
                        (was_lossy, has_restarted) = (true, true);
                        stream.publications.clear();
                        stream.dropped = 0;
                    }
                    publish(&mut stream, &mut published);
                    let frame =
                        json!({"push":{"channel":"CH","pub":stream.since(stream.top() - 1)[0]}});
                    receive(&mut session, &frame.to_string());
                    note(&mut session, &mut seen, &mut gaps);
                    let newest = published.last().unwrap();
                    assert!(
                        seen.contains(newest),
                        "seed {seed}: {newest} was published live and is not heard"
                    );
                }
                note(&mut session, &mut seen, &mut gaps);
            }
            note(&mut session, &mut seen, &mut gaps);
        }
        // The last connection gets all its answers.
        session.open(DATA, NOW);
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
        assert!(
            distinct.len() == seen.len() || has_restarted,
            "seed {seed}: {seen:?}"
        );
        let missing = published.iter().filter(|n| !seen.contains(n)).count();
        assert!(
            missing == 0 || was_lossy,
            "seed {seed}: {missing} missing that the server had"
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

/// A session need not report publications that the stream lost before the session first saw it: the first Get
/// Order request covers them.
fn session_knew_before(seen: &[u64]) -> bool {
    seen.first() == Some(&1)
}
