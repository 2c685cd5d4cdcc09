//! Connects as Xsolla's documentation shows, and tells its standard output what it hears, as one JSON
//! event a line: the same lines as `../npm/client.mjs`. The first line of its standard input says
//! where to and as whom (a token has no place among a process's arguments); its end says goodbye.

use std::time::Duration;

use centrifuge::{
    Client, ClientEvent, Error, HistoryOptions, Protocol, Publication, StreamPosition,
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let first = lines
        .next_line()
        .await?
        .ok_or("nothing on standard input")?;
    let first: Value = serde_json::from_str(&first)?;
    let url = first["url"].as_str().ok_or("no url")?;

    let client = Client::builder(url)
        .protocol(Protocol::Json)
        .data(first["data"].to_string())
        // So that a test need not wait for the default half a second and more.
        .min_reconnect_delay(Duration::from_millis(50))
        .max_reconnect_delay(Duration::from_millis(200))
        .build()?;
    let mut events = client.events();
    client.connect()?;
    loop {
        tokio::select! {
            line = lines.next_line() => if line?.is_none() { break },
            event = events.next() => match event {
                Some(event) => tell(&client, event),
                None => break,
            },
        }
    }
    client.close().await;
    // Not by returning: the thread that reads standard input may still hold it.
    std::process::exit(0)
}

fn tell(client: &Client, event: ClientEvent) {
    match event {
        ClientEvent::Connecting(e) => {
            say(json!({"event": "connecting", "code": e.code, "reason": e.reason}));
        }
        ClientEvent::Connected(_) => say(json!({"event": "connected"})),
        ClientEvent::Disconnected(e) => {
            say(json!({"event": "disconnected", "code": e.code, "reason": e.reason}));
        }
        ClientEvent::Error(e) => say(json!({"event": "error", "message": e.error.to_string()})),
        ClientEvent::ServerPublication(e) => {
            let mut line = publication(&e.publication);
            line["event"] = "publication".into();
            line["channel"] = e.channel.into();
            say(line);
        }
        ClientEvent::ServerSubscribed(e) => {
            say(json!({
                "event": "subscribed", "channel": e.channel,
                "recoverable": e.info.recoverable, "positioned": e.info.positioned,
                "wasRecovering": e.info.was_recovering, "recovered": e.info.recovered,
            }));
            // Beside the events: an answer that waited for them would wait for itself.
            tokio::spawn(history(client.clone(), e.channel));
        }
        _ => {}
    }
}

/// Xsolla's documentation, to the letter: `{limit: -1, since: {offset: 0}, reverse: false}`.
async fn history(client: Client, channel: String) {
    let options = HistoryOptions::new()
        .all()
        .since(StreamPosition::new(0, ""));
    match client.history(&channel, options).await {
        Ok(history) => say(json!({
            "event": "history", "channel": channel,
            "publications": history.publications.iter().map(publication).collect::<Vec<_>>(),
            "epoch": history.epoch, "offset": history.offset,
        })),
        Err(Error::Server(e)) => say(json!({
            "event": "history refused", "channel": channel, "code": e.code, "message": e.message,
        })),
        // The connection went: there is another `subscribed` to come.
        Err(_) => {}
    }
}

fn publication(publication: &Publication) -> Value {
    let data: Value = serde_json::from_slice(&publication.data).unwrap_or_default();
    json!({"data": data, "offset": publication.offset})
}

fn say(line: Value) {
    println!("{line}");
}
