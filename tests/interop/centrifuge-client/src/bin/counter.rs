//! A contestant of `benches/burst.rs`, on the crate `centrifuge-client`. The first line of standard
//! input says where to, as whom, and how many publications to count; its end says goodbye. Standard
//! output says `ready` once subscribed, `warm` after the first so many, and `seen` after the rest.

use std::io::BufRead;
use std::sync::atomic::{AtomicU64, Ordering};

use centrifuge::{Client, HistoryOptions, Protocol, StreamPosition};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Task {
    url: String,
    data: Value,
    warm_up: u64,
    count: u64,
}

#[derive(Deserialize)]
struct News {
    #[allow(dead_code)]
    order_id: u64,
    #[allow(dead_code)]
    status: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lines = std::io::stdin().lines();
    let first = lines.next().ok_or("nothing on standard input")??;
    let Task {
        url,
        data,
        warm_up,
        count,
    } = serde_json::from_str(&first)?;
    // The end of standard input ends the process.
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = std::io::stdin().lock().read_until(0, &mut rest);
        std::process::exit(0);
    });
    // By handlers, which the crate calls on a thread of its own: its streams hand over one by one, too,
    // and took longer.
    let seen = AtomicU64::new(0);
    let client = Client::builder(url)
        .protocol(Protocol::Json)
        .data(data.to_string())
        .on_publication(move |_, event| {
            let _: News = serde_json::from_slice(&event.publication.data).expect("news");
            let seen = seen.fetch_add(1, Ordering::Relaxed) + 1;
            if seen == warm_up {
                println!("warm");
            }
            if seen == warm_up + count {
                println!("seen");
            }
        })
        .on_subscribed(|client, event| {
            // Beside the events: an answer that waited for them would wait for itself.
            tokio::spawn(read_history(client.clone(), event.channel));
        })
        .on_connecting(|_, event| {
            if event.code != 0 {
                eprintln!("centrifuge-client: {} {}", event.code, event.reason);
            }
        })
        .build()?;
    client.connect()?;
    std::future::pending().await
}

async fn read_history(client: Client, channel: String) {
    let options = HistoryOptions::new()
        .all()
        .since(StreamPosition::new(0, ""));
    client.history(&channel, options).await.expect("a history");
    println!("ready");
}
