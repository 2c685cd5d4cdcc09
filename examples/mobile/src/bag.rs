//! What the player has. It is written before an order is acknowledged, so that nothing that was bought is lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use bevy::prelude::*;
use bevy_xsolla::prelude::*;

/// The number of items that each order has brought. An order that is in it was granted.
#[derive(Resource)]
pub struct Bag {
    file: PathBuf,
    orders: BTreeMap<u64, u64>,
}

impl Bag {
    /// Reads the bag, which is empty at the first start.
    pub fn open() -> io::Result<Self> {
        let folder = folder().ok_or(io::ErrorKind::NotFound)?;
        fs::create_dir_all(&folder)?;
        let file = folder.join("bag.txt");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let orders = text
            .lines()
            .filter_map(|line| {
                let (order_id, items) = line.split_once(' ')?;
                Some((order_id.parse().ok()?, items.parse().ok()?))
            })
            .collect();
        Ok(Self { file, orders })
    }

    pub fn items(&self) -> u64 {
        self.orders.values().sum()
    }

    /// Puts the items of an order into the bag, once for each order.
    pub fn grant(&mut self, order: &OrderDone) -> io::Result<()> {
        let items = order.items.iter().map(|item| item.quantity).sum();
        let mut orders = self.orders.clone();
        orders.insert(order.order_id.0, items);
        let new = self.file.with_extension("new");
        let mut file = fs::File::create(&new)?;
        for (order_id, items) in &orders {
            writeln!(file, "{order_id} {items}")?;
        }
        file.sync_all()?;
        fs::rename(&new, &self.file)?;
        self.orders = orders;
        Ok(())
    }
}

/// The folder that only this app can read.
#[cfg(target_os = "android")]
fn folder() -> Option<PathBuf> {
    bevy::android::ANDROID_APP.get()?.internal_data_path()
}

/// The folder that only this app can read, on iOS.
#[cfg(not(target_os = "android"))]
fn folder() -> Option<PathBuf> {
    Some(std::env::home_dir()?.join("Library/Application Support"))
}
