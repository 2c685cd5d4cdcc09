//! Orders that survive the process: those that are followed, and those that were granted lately.
//!
//! The ledger holds intent, not proof. After a restart every open order is asked for again, and a grant
//! follows the server's word only: whoever edits the file gets nothing by it. It holds no token.

mod memory;
#[cfg(not(target_family = "wasm"))]
mod redb;
#[cfg(target_family = "wasm")]
mod task;
#[cfg(test)]
mod tests;
#[cfg(not(target_family = "wasm"))]
mod thread;
pub(crate) mod writer;

use std::path::{Path, PathBuf};

use self::memory::Memory;
#[cfg(target_family = "wasm")]
pub(crate) use self::task::Writer;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::thread::Writer;
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
fn store_key(ledger: &Ledger, project_id: u64, user: &UserId) -> StoreKey {
    match &ledger.0 {
        Place::Disabled | Place::Custom(_) => StoreKey::Only,
        Place::At(path) => StoreKey::File(path.clone()),
        Place::UserData => match data_dir() {
            None => StoreKey::Only,
            Some(mut path) => {
                path.push("bevy_xsolla");
                path.push(project_id.to_string());
                path.push(format!("{}.redb", file_name(user)));
                StoreKey::File(path)
            }
        },
    }
}

/// The store itself. Every kind of ledger has its line here.
fn open_store(ledger: &Ledger, key: &StoreKey) -> Result<Box<dyn LedgerStore>, LedgerError> {
    match (&ledger.0, key) {
        (Place::Custom(custom), _) => Ok(Box::new(custom.clone())),
        (Place::Disabled, _) => Ok(Box::new(Memory::default())),
        (Place::UserData | Place::At(_), StoreKey::File(path)) => open_file(path),
        (Place::UserData | Place::At(_), StoreKey::Only) => Err(LedgerError::NoPlace),
    }
}

#[cfg(not(target_family = "wasm"))]
fn open_file(path: &Path) -> Result<Box<dyn LedgerStore>, LedgerError> {
    Ok(Box::new(redb::Redb::new(path.to_owned())))
}

/// A browser has no files.
#[cfg(target_family = "wasm")]
fn open_file(_path: &Path) -> Result<Box<dyn LedgerStore>, LedgerError> {
    Err(LedgerError::NoPlace)
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
