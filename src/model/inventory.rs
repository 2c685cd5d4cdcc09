//! What a player owns, and the use of it.

use std::sync::atomic::{AtomicU64, Ordering};

use bevy::prelude::{Event, Message, Reflect, ReflectDefault, ReflectResource, Resource};
use thiserror::Error;

use crate::model::catalog::{ItemAttribute, ItemGroup};
use crate::model::error::RequestError;
use crate::model::user::UserId;

/// What the logged-in player owns, filled by [`fetch_inventory`](crate::inventory::InventoryCommands::fetch_inventory).
///
/// It is emptied in the frame after the player has logged out or another one has logged in, before `Update`. It changes
/// by a fetch and by what [`consume_item`](crate::inventory::InventoryCommands::consume_item) uses up, and by nothing
/// else: a game that wants to see what was just bought fetches it again.
#[derive(Clone, Debug, Default, Resource, Reflect)]
// Nobody clones the entity of a resource, and a game in a browser would load the code.
#[component(clone_behavior = Ignore)]
#[reflect(no_auto_register, Resource, Clone, Debug, Default)]
pub struct Inventory {
    pub(crate) user: Option<UserId>,
    pub(crate) items: Vec<InventoryItem>,
    pub(crate) state: InventoryState,
}

impl Inventory {
    /// The player whose inventory this is, or `None` before the first fetch.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// The items, in the store's order. Subscriptions that the store lists with their end alone come last. The list of
    /// the last successful fetch stays while a new one is fetched, and if that fails.
    pub fn items(&self) -> &[InventoryItem] {
        &self.items
    }

    /// The first entry with this SKU.
    pub fn get(&self, sku: &str) -> Option<&InventoryItem> {
        self.items.iter().find(|item| item.sku == sku)
    }

    /// Whether the player owns the item. A subscription that is not active is not owned.
    pub fn has(&self, sku: &str) -> bool {
        self.quantity(sku) > 0
    }

    /// How many pieces of the item the player owns. An item that the store does not count, such as a sword, counts as one
    /// piece, and a subscription that is not active as none.
    pub fn quantity(&self, sku: &str) -> u64 {
        let entries = self.items.iter().filter(|item| item.sku == sku);
        entries.fold(0, |sum, item| sum.saturating_add(item.pieces()))
    }

    /// The state of the last fetch.
    pub fn state(&self) -> &InventoryState {
        &self.state
    }

    /// Takes off what was used up.
    pub(crate) fn set_left(&mut self, sku: &str, left: u64) {
        let mut entries = self.items.iter_mut().filter(|item| item.sku == sku);
        if let Some(item) = entries.next() {
            item.quantity = Some(left);
        }
        // Several entries of one SKU have been counted together.
        let mut is_first = true;
        self.items.retain(|item| {
            let is_kept = item.sku != sku || left > 0 && is_first;
            is_first &= item.sku != sku;
            is_kept
        });
    }
}

/// The state of the [`Inventory`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum InventoryState {
    /// The player's inventory has not been fetched yet.
    #[default]
    Empty,
    /// The inventory is being fetched.
    Loading,
    /// The inventory is complete.
    Ready,
    /// The inventory could not be fetched.
    Failed(InventoryError),
}

/// The reason that the [`Inventory`] could not be fetched.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InventoryError {
    /// No player is logged in: there is no [`XsollaUser`](crate::XsollaUser).
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// There is no valid config, or the store refused the request or was not reached. Where
    /// [`is_unauthorized`](RequestError::is_unauthorized) holds, the player needs a new token.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The plugin's background task has ended.
    #[error("the background task has ended")]
    TaskEnded,
}

/// An entry of the [`Inventory`].
///
/// The fields are those of Xsolla's `user/inventory/items`, as its documentation and its SDKs for Unity, Cocos and iOS
/// read them.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InventoryItem {
    /// The item's SKU.
    pub sku: String,
    /// The name to show.
    pub name: String,
    /// The description to show. It may be HTML, as it was entered in Publisher Account.
    pub description: Option<String>,
    /// The address of the item's image.
    pub image_url: Option<String>,
    /// What becomes of the item when it is used.
    pub kind: InventoryItemKind,
    /// How many pieces there are, or `None` if the store does not count them.
    pub quantity: Option<u64>,
    /// How often the piece in use can still be used, if the store says so.
    pub remaining_uses: Option<u64>,
    /// The store's id of this piece, for items of which each piece is told apart.
    pub instance_id: Option<String>,
    /// Until when a subscription lasts, if the store says so.
    pub subscription: Option<Subscription>,
    /// The groups that the item belongs to.
    pub groups: Vec<ItemGroup>,
    /// The item's attributes, as they were entered in Publisher Account.
    pub attributes: Vec<ItemAttribute>,
}

impl InventoryItem {
    /// How many pieces the player has of this entry.
    fn pieces(&self) -> u64 {
        match &self.subscription {
            Some(subscription) if !subscription.is_active() => 0,
            _ => self.quantity.unwrap_or(1),
        }
    }
}

/// What becomes of an item when it is used (`virtual_item_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Reflect)]
#[reflect(no_auto_register, Clone, Debug, Default, PartialEq, Hash)]
#[non_exhaustive]
pub enum InventoryItemKind {
    /// It is used up: [`consume_item`](crate::inventory::InventoryCommands::consume_item) takes a piece away.
    Consumable,
    /// It stays.
    NonConsumable,
    /// It lasts for a time (`non_renewing_subscription`): see [`InventoryItem::subscription`].
    Subscription,
    /// The store did not say, or has named another type.
    #[default]
    Other,
}

/// How long a subscription lasts. If it is bought again before it ends, it lasts longer.
///
/// The fields are those of Xsolla's `user/time_limited_items`, as its SDKs for Unity, Cocos and iOS read them.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Subscription {
    /// Whether it has ended, as the store said at the fetch.
    pub status: SubscriptionStatus,
    /// The time of its end (`expired_at`), in seconds since 1970.
    pub ends_at: Option<u64>,
}

impl Subscription {
    /// Whether the subscription had not ended at the fetch.
    pub fn is_active(&self) -> bool {
        self.status == SubscriptionStatus::Active
    }
}

/// Whether a [`Subscription`] has ended.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SubscriptionStatus {
    /// It lasts (`active`).
    Active,
    /// It has ended (`expired`).
    Expired,
    /// Another status.
    Other(String),
}

/// The id of a call of [`consume_item`](crate::inventory::InventoryCommands::consume_item), which its answer repeats. It
/// is unique within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumptionId(u64);

impl ConsumptionId {
    /// Returns an id that was not used before.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// An item was used up: give the player the effect now.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct ItemConsumed {
    /// The call of [`consume_item`](crate::inventory::InventoryCommands::consume_item) that this answers.
    pub consumption_id: ConsumptionId,
    /// The player whose item it was.
    pub user: UserId,
    /// The item.
    pub sku: String,
    /// How many pieces were used up.
    pub quantity: u64,
    /// How many pieces are left.
    pub left: u64,
}

/// An item was not used up, or nobody can say whether it was.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct ConsumeFailed {
    /// The call of [`consume_item`](crate::inventory::InventoryCommands::consume_item) that this answers.
    pub consumption_id: ConsumptionId,
    /// The player whose item it is, or `None` if no player was logged in.
    pub user: Option<UserId>,
    /// The item.
    pub sku: String,
    /// How many pieces were to be used up.
    pub quantity: u64,
    /// The reason.
    pub error: ConsumeError,
}

/// The reason that an item was not used up. With all but [`Unclear`](Self::Unclear) and [`TaskEnded`](Self::TaskEnded)
/// the player still has it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumeError {
    /// No player is logged in: there is no [`XsollaUser`](crate::XsollaUser). Or the player has logged out before it was
    /// this item's turn.
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// The call makes no sense, for example because the quantity is zero.
    #[error("the consumption makes no sense: {0}")]
    Invalid(&'static str),
    /// The player has fewer pieces.
    #[error("the player has only {owned}")]
    NotEnough {
        /// How many the player has.
        owned: u64,
    },
    /// The item is not counted, so it cannot be used up.
    #[error("the item is not used up")]
    NotConsumable,
    /// The store refused it. 404 stands for too few pieces: another device was quicker.
    #[error(transparent)]
    Refused(RequestError),
    /// There is no valid config, the token was refused, or the store was not reached, and nothing was used up. Where
    /// [`is_unauthorized`](RequestError::is_unauthorized) holds, the player needs a new token.
    #[error(transparent)]
    Request(RequestError),
    /// The store's answer was lost, and what the inventory has says neither that the item was used up nor that it was
    /// not: the quantities do not fit, because something else has changed them, or the inventory could not be read. Nothing
    /// is tried again. The game decides, best by asking the player to look.
    #[error("it is not clear whether the item was used up ({}): {error}", Quantities(*.before, *.after))]
    Unclear {
        /// How many pieces the player had before.
        before: u64,
        /// How many there were afterwards, or `None` if that could not be read.
        after: Option<u64>,
        /// The last error.
        error: RequestError,
    },
    /// The plugin's background task has ended. If it had begun with the item, it is not known whether it was used up.
    #[error("the background task has ended")]
    TaskEnded,
}

struct Quantities(u64, Option<u64>);

impl std::fmt::Display for Quantities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.1 {
            Some(after) => write!(f, "there were {}, and now {after}", self.0),
            None => write!(f, "there were {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(sku: &str, quantity: Option<u64>) -> InventoryItem {
        InventoryItem {
            sku: sku.to_owned(),
            name: sku.to_owned(),
            description: None,
            image_url: None,
            kind: InventoryItemKind::Other,
            quantity,
            remaining_uses: None,
            instance_id: None,
            subscription: None,
            groups: Vec::new(),
            attributes: Vec::new(),
        }
    }

    #[test]
    fn pieces_are_counted_over_all_entries_of_an_item_and_taken_off_the_first() {
        let mut inventory = Inventory::default();
        for (sku, quantity) in [("potion", Some(2)), ("sword", None), ("potion", Some(3))] {
            inventory.items.push(item(sku, quantity));
        }
        assert_eq!(inventory.quantity("potion"), 5);
        inventory.set_left("potion", 4);
        assert_eq!(inventory.quantity("potion"), 4);
        assert_eq!(inventory.items.len(), 2);
        inventory.set_left("potion", 0);
        assert!(!inventory.has("potion") && inventory.has("sword"));
        assert_eq!(inventory.items.len(), 1);
    }

    #[test]
    fn a_subscription_that_has_ended_is_listed_and_not_owned() {
        let mut inventory = Inventory::default();
        for status in [SubscriptionStatus::Active, SubscriptionStatus::Expired] {
            let mut pass = item(&format!("{status:?}"), None);
            pass.subscription = Some(Subscription {
                status,
                ends_at: Some(1),
            });
            inventory.items.push(pass);
        }
        assert!(inventory.has("Active") && !inventory.has("Expired"));
        assert!(inventory.get("Expired").is_some());
    }
}
