//! The writer on its own thread, so that a slow disk does not block the game or the sockets.

#[cfg(test)]
mod tests;

use bevy::tasks::block_on;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use tokio::sync::mpsc;

use crate::ledger::writer::{Job, Shelves};
use crate::model::ledger::{LedgerError, LedgerReport};
use crate::platform::thread::spawn_thread;

/// A handle to the writer's thread. When all of them are dropped, the thread finishes its jobs and ends.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    /// Starts the writer. It puts its reports into `reports`, and waits while there is no room.
    pub(crate) fn start<R: From<LedgerReport> + Send + 'static>(
        reports: mpsc::Sender<R>,
    ) -> Result<Self, LedgerError> {
        let (jobs, inbox) = unbounded();
        let report = move |done| {
            // After the game's end nobody reads the reports, and the jobs are still done.
            let _ = reports.blocking_send(R::from(done));
        };
        spawn_thread("xsolla-ledger", move || work(Shelves::new(report), &inbox))
            .map_err(|error| LedgerError::NoThread(error.to_string()))?;
        Ok(Self { jobs })
    }

    pub(crate) fn give(&self, job: Job) {
        // The thread outlives its handle, so this does not fail.
        let _ = self.jobs.send(job);
    }
}

fn work(mut shelves: Shelves<impl FnMut(LedgerReport)>, inbox: &Receiver<Job>) {
    loop {
        let job = match shelves.deadline() {
            Some(deadline) => inbox.recv_deadline(deadline),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match job {
            Ok(job) => {
                block_on(shelves.take(job));
                while let Ok(job) = inbox.try_recv() {
                    block_on(shelves.take(job));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                block_on(shelves.commit());
                return block_on(shelves.commit_earlier());
            }
        }
        block_on(shelves.settle());
    }
}
