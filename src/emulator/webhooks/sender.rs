//! The task that sends the webhooks, one after the other.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::client;
use crate::emulator::world::shared::Shared;
use crate::emulator::world::webhooks::{Next, Sending};

/// Sends webhooks until it is dropped.
pub(crate) async fn run(shared: Shared) {
    loop {
        let sending = next(&shared).await;
        let answer = client::send(&sending).await;
        shared.lock().webhook_answered(sending.webhook, answer);
    }
}

async fn next(shared: &Shared) -> Sending {
    let mut timer = pin!(sleep(Duration::ZERO));
    poll_fn(|context| {
        loop {
            let mut state = shared.lock();
            let started_at = state.started_at;
            let next = state.next_webhook(started_at.elapsed(), context.waker());
            drop(state);
            let due = match next {
                Next::Send(sending) => return Poll::Ready(sending),
                Next::NotBefore(due) => started_at.checked_add(due),
                Next::Nothing => None,
            };
            let Some(due) = due else {
                return Poll::Pending;
            };
            timer.as_mut().reset(Instant::from_std(due));
            ready!(timer.as_mut().poll(context));
        }
    })
    .await
}
