//! The writer on a thread of its own: a disk may take its time, the game and the sockets may not.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use tokio::sync::mpsc;

use crate::ledger::writer::{Done, Job, Shelves};
use crate::model::ledger::LedgerError;
use crate::platform::thread::spawn_thread;

/// The thread's address. The thread ends when this is dropped, after what it was given to do.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    /// Puts what it reports into `reports`, and waits while there is no room.
    pub(crate) fn start<R: From<Done> + Send + 'static>(
        reports: mpsc::Sender<R>,
    ) -> Result<Self, LedgerError> {
        let (jobs, inbox) = unbounded();
        let report = move |done| {
            // Nobody listens after the game's end; what is to be written is written all the same.
            let _ = reports.blocking_send(R::from(done));
        };
        spawn_thread("xsolla-ledger", move || work(Shelves::new(report), &inbox))
            .map_err(|error| LedgerError::NoThread(error.to_string()))?;
        Ok(Self { jobs })
    }

    pub(crate) fn give(&self, job: Job) {
        // The thread outlives its address.
        let _ = self.jobs.send(job);
    }
}

fn work(mut shelves: Shelves<impl FnMut(Done)>, inbox: &Receiver<Job>) {
    loop {
        let job = match shelves.deadline() {
            Some(deadline) => inbox.recv_deadline(deadline),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match job {
            Ok(job) => {
                shelves.take(job);
                while let Ok(job) = inbox.try_recv() {
                    shelves.take(job);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return shelves.commit(),
        }
        shelves.settle();
    }
}
