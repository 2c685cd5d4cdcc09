//! A store as the writer uses it.

use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use crate::model::ledger::{LedgerError, LedgerStore, TakenOrder};
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;

/// A result that may come later.
pub(super) type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + 'a>>;

/// A store that may answer later, as a browser's database does. [`LedgerStore`] has the same functions for stores that
/// block, and tells what each of them does.
pub(super) trait Store {
    fn load<'a>(
        &'a mut self,
        project_id: u64,
        user: &'a UserId,
    ) -> Later<'a, Vec<(OrderId, LedgerRecord)>>;

    fn commit<'a>(&'a mut self, changes: &'a [LedgerChange])
    -> Later<'a, Vec<Option<LedgerEntry>>>;

    fn release(&mut self, project_id: u64, user: &UserId);

    fn trouble(&self) -> Option<LedgerError>;

    fn has_lost(&mut self) -> bool;

    fn taken(&mut self) -> Result<Vec<TakenOrder>, LedgerError> {
        Ok(Vec::new())
    }

    #[cfg(feature = "webhook")]
    fn find(&mut self, _: u64, _: &[OrderId]) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        Err(LedgerError::NoLookUp)
    }
}

/// A store that blocks. A panic in the game's own store must not lose the orders of others.
pub(super) struct Blocking<S>(pub(super) S);

impl<S: LedgerStore> Store for Blocking<S> {
    fn load<'a>(
        &'a mut self,
        project_id: u64,
        user: &'a UserId,
    ) -> Later<'a, Vec<(OrderId, LedgerRecord)>> {
        let store = &mut self.0;
        let loaded = catch_unwind(AssertUnwindSafe(|| store.load(project_id, user)));
        Box::pin(ready(loaded.unwrap_or_else(|_| Err(panicked()))))
    }

    fn commit<'a>(
        &'a mut self,
        changes: &'a [LedgerChange],
    ) -> Later<'a, Vec<Option<LedgerEntry>>> {
        let store = &mut self.0;
        let before = catch_unwind(AssertUnwindSafe(|| store.commit(changes)));
        Box::pin(ready(before.unwrap_or_else(|_| Err(panicked()))))
    }

    fn release(&mut self, project_id: u64, user: &UserId) {
        let store = &mut self.0;
        let _ = catch_unwind(AssertUnwindSafe(|| store.release(project_id, user)));
    }

    fn trouble(&self) -> Option<LedgerError> {
        let trouble = catch_unwind(AssertUnwindSafe(|| self.0.trouble()));
        trouble.ok().flatten()
    }

    fn has_lost(&mut self) -> bool {
        let store = &mut self.0;
        catch_unwind(AssertUnwindSafe(|| store.has_lost())).unwrap_or(false)
    }

    #[cfg(feature = "webhook")]
    fn find(
        &mut self,
        project_id: u64,
        orders: &[OrderId],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let found = catch_unwind(AssertUnwindSafe(|| self.0.find(project_id, orders)));
        found.unwrap_or_else(|_| Err(panicked()))
    }

    fn taken(&mut self) -> Result<Vec<TakenOrder>, LedgerError> {
        let taken = catch_unwind(AssertUnwindSafe(|| self.0.taken()));
        taken.unwrap_or_else(|_| Err(panicked()))
    }
}

fn panicked() -> LedgerError {
    LedgerError::Custom("it has panicked".to_owned())
}
