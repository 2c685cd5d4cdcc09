//! Orders that survive the process: those that are followed, and those that were granted lately.
//!
//! The ledger holds intent, not proof. After a restart every open order is asked for again, and a grant
//! follows the server's word only: whoever edits the file gets nothing by it. It holds no token.

mod memory;
mod redb;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use std::path::PathBuf;

use self::memory::Memory;
use self::redb::Redb;
use crate::model::ledger::{Ledger, LedgerError, LedgerState, LedgerStore, Place};
use crate::model::user::UserId;
use crate::platform::folder::data_dir;

/// A store of its own, with its own waiting changes: one for each file, or one for all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StoreKey {
    File(PathBuf),
    Only,
}

/// Which store a player's orders are in.
fn store_key(ledger: &Ledger, project_id: u64, user: &UserId) -> Result<StoreKey, LedgerError> {
    match &ledger.0 {
        Place::Disabled | Place::Custom(_) => Ok(StoreKey::Only),
        Place::At(path) => Ok(StoreKey::File(path.clone())),
        Place::UserData => {
            let mut path = data_dir().ok_or(LedgerError::NoPlace)?;
            path.push("bevy_xsolla");
            path.push(project_id.to_string());
            path.push(format!("{}.redb", file_name(user)));
            Ok(StoreKey::File(path))
        }
    }
}

/// The store itself. Every kind of ledger has its line here.
fn open_store(ledger: &Ledger, key: &StoreKey) -> Box<dyn LedgerStore> {
    match (&ledger.0, key) {
        (Place::Custom(custom), _) => Box::new(custom.clone()),
        (_, StoreKey::File(path)) => Box::new(Redb::new(path.clone())),
        (_, StoreKey::Only) => Box::new(Memory::default()),
    }
}

/// What is said of a ledger in which nothing is wrong.
fn sound_state(ledger: &Ledger) -> LedgerState {
    match ledger.0 {
        Place::Disabled => LedgerState::Disabled,
        Place::UserData | Place::At(_) | Place::Custom(_) => LedgerState::Kept,
    }
}

/// The id in letters that every file system takes, and no separator among them. What of a long one is
/// cut off does not matter: entries are found by their user.
fn file_name(user: &UserId) -> String {
    let mut name = String::new();
    for byte in user.as_str().bytes().take(60) {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            // In hexadecimal, because some file systems take capitals and small letters for the same.
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    name
}
