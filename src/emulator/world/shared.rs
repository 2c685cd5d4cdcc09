//! The state behind one lock, which is never held while something waits.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::faults::Faults;
use super::state::State;

#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A test may panic in one of the emulator's methods, which leave the state whole. The servers go on,
        // and so does whatever runs while the test unwinds.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ask` has an answer.
    ///
    /// It is asked again whenever the task is woken, so it leaves the waker where the awaited change is made.
    pub(crate) async fn wait_for<T>(
        &self,
        mut ask: impl FnMut(&mut State, &Waker) -> Option<T>,
    ) -> T {
        poll_fn(|context| match ask(&mut self.lock(), context.waker()) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
        .await
    }

    /// Waits as long as the fault lasts.
    pub(crate) async fn wait_while(&self, fault: impl Fn(&Faults) -> bool) {
        self.wait_for(|state, waker| {
            if !fault(state.faults()) {
                return Some(());
            }
            state.wake_when_faults_change(waker);
            None
        })
        .await;
    }
}
