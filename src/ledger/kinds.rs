//! The kinds of ledgers, and the place where each keeps a player's orders.

use std::path::PathBuf;

use crate::ledger::memory::Memory;
use crate::ledger::redb;
use crate::model::ledger::{Ledger, LedgerError, LedgerState, LedgerStore, Place};
use crate::model::user::UserId;
use crate::platform::folder::data_dir;

/// Identifies a store, which has its own pending changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StoreKey {
    File(PathBuf),
    /// The address of a store of the game's own.
    Custom(usize),
    Memory,
    /// The system has no place for files.
    Nowhere,
}

/// Returns the key of the store that holds a player's orders.
pub(super) fn store_key(ledger: &Ledger, project_id: u64, user: &UserId) -> StoreKey {
    match &ledger.0 {
        Place::Disabled => StoreKey::Memory,
        Place::Custom(custom) => StoreKey::Custom(custom.address()),
        Place::At(path) => StoreKey::File(path.clone()),
        Place::UserData => match data_dir() {
            None => StoreKey::Nowhere,
            Some(mut path) => {
                path.push("bevy_xsolla");
                path.push(project_id.to_string());
                path.push(format!("{}.redb", file_name(user)));
                StoreKey::File(path)
            }
        },
    }
}

/// Opens a store. Each kind of ledger has one line here.
pub(super) fn open_store(
    ledger: &Ledger,
    key: &StoreKey,
) -> Result<Box<dyn LedgerStore>, LedgerError> {
    match (&ledger.0, key) {
        (Place::Custom(custom), _) => Ok(Box::new(custom.clone())),
        (Place::Disabled, _) => Ok(Box::new(Memory::default())),
        (Place::UserData | Place::At(_), StoreKey::File(path)) => redb::open(path.clone()),
        (Place::UserData | Place::At(_), _) => Err(LedgerError::NoPlace),
    }
}

/// The state of a ledger without trouble.
pub(super) fn sound_state(ledger: &Ledger) -> LedgerState {
    match ledger.0 {
        Place::Disabled => LedgerState::Disabled,
        Place::UserData | Place::At(_) | Place::Custom(_) => LedgerState::Kept,
    }
}

/// Encodes the id in characters that every file system accepts, without separators. A long id may be cut off,
/// because entries are found by their user.
fn file_name(user: &UserId) -> String {
    let mut name = String::new();
    for byte in user.as_str().bytes().take(60) {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            // Other bytes are written in hexadecimal, because some file systems do not distinguish capital
            // and small letters.
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    name
}
