//! A page has one thread.

use std::time::Duration;

use crossbeam_channel::Receiver;

/// Returns at once: the background task runs on this same thread and sends nothing while the thread is blocked.
pub(crate) fn wait_for_task<T>(_sent: &Receiver<T>, _patience: Duration) {}
