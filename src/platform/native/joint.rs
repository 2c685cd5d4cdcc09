//! Blocking work whose result is shared by all who want it. Work that hangs occupies one thread, however often it is
//! wanted.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::platform::native::thread::spawn_thread;

/// The work that is under way, by its subject.
pub(super) struct Joint<T: 'static> {
    thread_name: &'static str,
    running: Mutex<BTreeMap<String, watch::Receiver<Option<T>>>>,
}

impl<T: Clone + Send + Sync> Joint<T> {
    pub(super) const fn new(thread_name: &'static str) -> Self {
        Self {
            thread_name,
            running: Mutex::new(BTreeMap::new()),
        }
    }

    /// Waits for the work on this subject that is under way, or starts it. All get a copy of the result. The caller sets
    /// a deadline.
    pub(super) async fn run(
        &'static self,
        subject: &str,
        work: impl FnOnce(&str) -> T + Send + 'static,
    ) -> io::Result<T> {
        let mut result = self.join_or_start(subject, work)?;
        let result = result
            .wait_for(Option::is_some)
            .await
            .map(|done| done.clone());
        match result {
            Ok(Some(done)) => Ok(done),
            Ok(None) | Err(_) => Err(io::Error::other("the thread ended without a result")),
        }
    }

    fn join_or_start(
        &'static self,
        subject: &str,
        work: impl FnOnce(&str) -> T + Send + 'static,
    ) -> io::Result<watch::Receiver<Option<T>>> {
        let mut running = self.running();
        // Work whose thread has ended without a result is started anew.
        if let Some(result) = running
            .get(subject)
            .filter(|result| result.has_changed().is_ok())
        {
            return Ok(result.clone());
        }
        let (done, result) = watch::channel(None);
        let of = subject.to_owned();
        spawn_thread(self.thread_name, move || {
            let value = work(&of);
            self.running().remove(&of);
            let _ = done.send(Some(value));
        })?;
        running.insert(subject.to_owned(), result.clone());
        Ok(result)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, watch::Receiver<Option<T>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
