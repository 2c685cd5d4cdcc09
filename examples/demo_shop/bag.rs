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
        let mut items = self.orders.values().flatten();
        items.any(|(other, _)| other == sku || contents_of(other).contains(&sku))
    }
}

fn contents_of(sku: &str) -> &'static [&'static str] {
    let bundle = BUNDLES.iter().find(|(bundle, _)| *bundle == sku);
    bundle.map_or(&[], |(_, contents)| contents)
}
