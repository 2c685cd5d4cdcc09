//! The writer as a task, for platforms without threads.

use std::pin::pin;

use tokio::sync::mpsc;

use crate::ledger::indexed_db::LOCK_GRANTED;
use crate::ledger::writer::{Job, Shelves};
use crate::model::ledger::{LedgerError, LedgerReport};
use crate::platform::runtime::{sleep, spawn};
use crate::platform::time::Instant;

/// The number of jobs that are taken at a time.
const BATCH: usize = 256;

/// A handle to the writer's task. When it is dropped, the task finishes its jobs and ends.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: mpsc::UnboundedSender<Job>,
}

impl Writer {
    /// Starts the writer. It puts its reports into `reports`, and waits while there is no room.
    pub(crate) fn start<R: From<LedgerReport> + 'static>(
        reports: mpsc::Sender<R>,
    ) -> Result<Self, LedgerError> {
        let (jobs, inbox) = mpsc::unbounded_channel();
        spawn(work(inbox, reports));
        Ok(Self { jobs })
    }

    pub(crate) fn give(&self, job: Job) {
        // The task outlives its handle, so this does not fail.
        let _ = self.jobs.send(job);
    }
}

async fn work<R: From<LedgerReport>>(
    mut inbox: mpsc::UnboundedReceiver<Job>,
    reports: mpsc::Sender<R>,
) {
    let (report, mut reported) = mpsc::unbounded_channel();
    let mut shelves = Shelves::new(move |done| drop(report.send(done)));
    let mut jobs = Vec::new();
    // It is there before the locks are waited for, so that none is granted unnoticed.
    let mut granted = pin!(LOCK_GRANTED.notified());
    loop {
        let deadline = shelves.deadline();
        tokio::select! {
            count = inbox.recv_many(&mut jobs, BATCH) => {
                if count == 0 {
                    shelves.commit().await;
                    return shelves.commit_earlier().await;
                }
                for job in jobs.drain(..) {
                    shelves.take(job).await;
                }
            }
            () = sleep_until(deadline) => {}
            () = &mut granted => {
                granted.set(LOCK_GRANTED.notified());
                shelves.next_try = Instant::now();
            }
        }
        shelves.settle().await;
        while let Ok(done) = reported.try_recv() {
            // After the game's end nobody reads the reports, and the jobs are still done.
            let _ = reports.send(R::from(done)).await;
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep(deadline.saturating_duration_since(Instant::now())).await,
        None => std::future::pending().await,
    }
}
