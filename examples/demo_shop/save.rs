//! The files of a game.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The file with what the hero has.
pub const BAG: &str = "bag.json";

/// The file with the orders that the emulator is to remember.
pub const EMULATOR: &str = "emulator.json";

/// The plugin's own file, with the orders that are open and those that were granted.
pub const LEDGER: &str = "orders.ledger";

/// A folder below the user's data folder, by the shop and its player.
pub fn default_folder(name: &str) -> io::Result<PathBuf> {
    let data = dirs::data_dir().ok_or_else(|| io::Error::other("there is no data folder"))?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let plain = |letter| if is_plain(letter) { letter } else { '_' };
    let name: String = name.chars().map(plain).collect();
    Ok(data.join("bevy_xsolla_demo_shop").join(name))
}

/// Deletes the files of a game. Xsolla keeps its orders.
pub fn forget(folder: &Path) -> io::Result<()> {
    for file in [BAG, EMULATOR, LEDGER] {
        match std::fs::remove_file(folder.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Reads a file; `None` where there is no such file yet.
pub fn read<T: DeserializeOwned>(file: &Path) -> io::Result<Option<T>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes all of the file or nothing. A game that ends in between finds the old file at its next start.
pub fn write<T: Serialize>(file: &Path, value: &T) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut out = std::fs::File::create(&new)?;
    serde_json::to_writer(&mut out, value)?;
    out.sync_all()?;
    std::fs::rename(new, file)
}
