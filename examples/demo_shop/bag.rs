//! What the hero has.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use bevy::prelude::*;
use bevy_xsolla::prelude::*;

use crate::save::{BAG, read, write};

/// What the hero has. It is kept order by order, so that no order counts twice and a refund takes back what
/// its order brought and nothing else.
#[derive(Default, Resource)]
pub struct Bag {
    orders: Granted,
    /// The orders whose refund this run has heard of.
    refunded: BTreeSet<OrderId>,
    file: PathBuf,
}

/// What is in the bundles. An order names the bundle and not its contents, and a grant should not wait for the catalogue.
const BUNDLES: [(&str, &[&str]); 1] = [("traveller_set", &["helmet", "lantern"])];

/// The SKUs of each order, and how many of each.
type Granted = BTreeMap<u64, Vec<(String, u64)>>;

/// What was restored stands with this number, which no order has.
const RESTORED: u64 = 0;

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
    pub fn take_back(&mut self, order: &OrderCanceled) -> io::Result<()> {
        self.refunded.insert(order.order_id);
        // If it is not there, its items came by a restore.
        if self.orders.remove(&order.order_id.0).is_none()
            && let Some(restored) = self.orders.get_mut(&RESTORED)
        {
            for item in &order.items {
                let mut quantity = item.quantity;
                for (_, left) in restored.iter_mut().filter(|(sku, _)| *sku == item.sku) {
                    let taken = quantity.min(*left);
                    *left -= taken;
                    quantity -= taken;
                }
            }
            restored.retain(|(_, left)| *left > 0);
        }
        write(&self.file, &self.orders)
    }

    /// Puts in what the player owns and the bag has not, and returns it. By then it is on the disk.
    pub fn restore<'a>(
        &mut self,
        owned: impl Iterator<Item = (&'a str, u64)>,
    ) -> io::Result<Vec<String>> {
        let missing = owned.filter_map(|(sku, quantity)| {
            let missing = quantity.saturating_sub(self.count(sku));
            (missing > 0).then(|| (sku.to_owned(), missing))
        });
        let missing: Vec<(String, u64)> = missing.collect();
        let skus = missing.iter().map(|(sku, _)| sku.clone()).collect();
        if !missing.is_empty() {
            self.orders.entry(RESTORED).or_default().extend(missing);
            write(&self.file, &self.orders)?;
        }
        Ok(skus)
    }

    /// Forgets everything, as if the file was deleted.
    pub fn lose(&mut self) -> io::Result<()> {
        self.orders.clear();
        write(&self.file, &self.orders)
    }

    /// Whether this run has heard of the order's refund.
    pub fn was_refunded(&self, order_id: OrderId) -> bool {
        self.refunded.contains(&order_id)
    }

    pub fn has(&self, sku: &str) -> bool {
        self.count(sku) > 0
    }

    fn count(&self, sku: &str) -> u64 {
        let items = self.orders.values().flatten();
        let items = items.filter(|(other, _)| other == sku || contents_of(other).contains(&sku));
        items.map(|(_, quantity)| quantity).sum()
    }
}

fn contents_of(sku: &str) -> &'static [&'static str] {
    let bundle = BUNDLES.iter().find(|(bundle, _)| *bundle == sku);
    bundle.map_or(&[], |(_, contents)| contents)
}
