//! Threads: a page has one.

use std::time::Duration;

use crossbeam_channel::Receiver;

/// The background task runs on this very thread, and sends nothing while it is blocked: so there is
/// nothing to wait for.
pub(crate) fn wait_for_task<T>(_sent: &Receiver<T>, _patience: Duration) {}
