//! The webhooks that wait for the ledger.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::machine::input::Receipt;

/// The webhooks whose senders wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    last: AtomicU64,
    waiting: Mutex<HashMap<Receipt, oneshot::Sender<()>>>,
}

impl Receipts {
    pub(in crate::tracker) fn add(&self) -> (Receipt, oneshot::Receiver<()>) {
        let (confirm, confirmed) = oneshot::channel();
        let receipt = Receipt(self.last.fetch_add(1, Ordering::Relaxed));
        self.waiting().insert(receipt, confirm);
        (receipt, confirmed)
    }

    /// Answers the webhook. Its sender may have gone meanwhile.
    pub(crate) fn confirm(&self, receipt: Receipt) {
        if let Some(confirm) = self.waiting().remove(&receipt) {
            let _ = confirm.send(());
        }
    }

    /// Forgets a webhook whose sender does not wait any more.
    pub(in crate::tracker) fn forget(&self, receipt: Receipt) {
        self.waiting().remove(&receipt);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Receipt, oneshot::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
