//! The kinds of ledgers.

use crate::ledger::embedded;
use crate::ledger::memory::Memory;
#[cfg(feature = "postgres")]
use crate::ledger::postgres;
use crate::ledger::store::{Blocking, Store};
use crate::model::ledger::{Ledger, LedgerError, LedgerState, Place};

/// Opens a store. Each kind of ledger has one line here.
pub(super) fn open_store(ledger: &Ledger) -> Result<Box<dyn Store>, LedgerError> {
    match &ledger.0 {
        Place::Disabled => Ok(Box::new(Blocking(Memory::default()))),
        Place::Custom(custom) => Ok(Box::new(Blocking(custom.clone()))),
        Place::At(path) => embedded::open(path.clone()),
        Place::UserData => embedded::open_user_data(),
        #[cfg(feature = "postgres")]
        Place::Postgres(address) => postgres::open(address),
    }
}

/// Whether each player has a file of their own, which can fail while those of others work.
pub(super) fn has_a_file_for_each_player(ledger: &Ledger) -> bool {
    ledger.0 == Place::UserData
}

/// The state of a ledger without trouble.
pub(super) fn sound_state(ledger: &Ledger) -> LedgerState {
    match ledger.0 {
        Place::Disabled => LedgerState::Disabled,
        Place::UserData | Place::At(_) | Place::Custom(_) => LedgerState::Kept,
        #[cfg(feature = "postgres")]
        Place::Postgres(_) => LedgerState::Kept,
    }
}
