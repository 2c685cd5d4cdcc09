//! The channel by which notices come to the game. They come in batches, so that in a burst the two threads do not fetch
//! the channel's counters from each other's cache for each notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec;

use crossbeam_channel::{Receiver, SendError, Sender, unbounded};

use crate::machine::output::Notice;

/// The number of notices after which a batch is sent although more follow, so that the game has work meanwhile.
const BATCH_MAX: usize = 256;

/// Makes a channel, and returns both ends.
pub(crate) fn channel() -> (NoticeSender, NoticeReceiver) {
    let (sender, receiver) = unbounded();
    let sender = NoticeSender {
        batches: sender,
        sent: Arc::default(),
        batch: Vec::new(),
    };
    let receiver = NoticeReceiver {
        batches: receiver,
        sent: sender.sent.clone(),
        batch: Vec::new().into_iter(),
    };
    (sender, receiver)
}

/// The task's end.
#[derive(Debug)]
pub(crate) struct NoticeSender {
    batches: Sender<Vec<Notice>>,
    /// The number of notices in the channel.
    sent: Arc<AtomicUsize>,
    /// What is sent next.
    batch: Vec<Notice>,
}

impl NoticeSender {
    /// Adds a notice to the batch.
    pub(super) fn push(&mut self, notice: Notice) -> Result<(), SendError<()>> {
        self.batch.push(notice);
        if self.batch.len() < BATCH_MAX {
            return Ok(());
        }
        self.send()
    }

    /// Sends the batch. Fails when the game is gone.
    pub(super) fn send(&mut self) -> Result<(), SendError<()>> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.sent.fetch_add(batch.len(), Ordering::Relaxed);
        self.batches.send(batch).map_err(|_| SendError(()))
    }

    /// The number of notices that the game has not taken.
    pub(super) fn len(&self) -> usize {
        self.batch.len() + self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for NoticeSender {
    /// A task that panics has told the game of what came before.
    fn drop(&mut self) {
        let _ = self.send();
    }
}

/// The game's end.
#[derive(Debug)]
pub(crate) struct NoticeReceiver {
    batches: Receiver<Vec<Notice>>,
    sent: Arc<AtomicUsize>,
    /// What is taken next.
    batch: vec::IntoIter<Notice>,
}

impl NoticeReceiver {
    pub(super) fn is_empty(&self) -> bool {
        self.batch.len() == 0 && self.batches.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<Notice> {
        if let Some(notice) = self.batch.next() {
            return Some(notice);
        }
        let batch = self.batches.try_recv().ok()?;
        self.sent.fetch_sub(batch.len(), Ordering::Relaxed);
        self.batch = batch.into_iter();
        self.batch.next()
    }
}
