//! The files of a game: what the hero has, and where it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The file with what the hero has.
const BAG: &str = "bag.json";

/// The file with the orders that the emulator is to remember.
pub const EMULATOR: &str = "emulator.json";

/// What the hero has. It is kept order by order, so that no order counts twice and a refund takes back what
/// its order brought and nothing else.
#[derive(Default, Resource)]
pub struct Bag {
    orders: Granted,
    /// The orders whose refund this run has heard of.
    refunded: BTreeSet<OrderId>,
    file: PathBuf,
}

/// The SKUs of each order, and how many of each.
type Granted = BTreeMap<u64, Vec<(String, u64)>>;

impl Bag {
    pub fn open(folder: &Path) -> io::Result<Self> {
        let file = folder.join(BAG);
        Ok(Self {
            orders: read(&file)?.unwrap_or_default(),
            file,
            ..default()
        })
    }

    /// Puts in what an order brought, and returns whether the order was new. By then it is on the disk.
    pub fn add(&mut self, order: &OrderDone) -> io::Result<bool> {
        let items = order.items.iter();
        let items = items.map(|item| (item.sku.clone(), item.quantity));
        let is_new = self
            .orders
            .insert(order.order_id.0, items.collect())
            .is_none();
        write(&self.file, &self.orders)?;
        Ok(is_new)
    }

    /// Takes out what a refunded order brought.
    pub fn take_back(&mut self, order_id: OrderId) -> io::Result<()> {
        self.refunded.insert(order_id);
        match self.orders.remove(&order_id.0) {
            Some(_) => write(&self.file, &self.orders),
            None => Ok(()),
        }
    }

    /// Whether this run has heard of the order's refund.
    pub fn was_refunded(&self, order_id: OrderId) -> bool {
        self.refunded.contains(&order_id)
    }

    pub fn has(&self, sku: &str) -> bool {
        let items = self.orders.values().flatten();
        items.into_iter().any(|(other, _)| other == sku)
    }
}

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
