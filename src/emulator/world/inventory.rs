//! What players own: what paid orders have brought, less what was refunded and used up.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::accounts::AccountId;
use super::catalog::Catalog;
use super::order::Order;
use super::state::State;
use crate::model::order::OrderId;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The life of a subscription that names none.
const MONTH: Duration = DAY.saturating_mul(30);

/// What a player owns, in the order in which it was first got.
#[derive(Default)]
pub(crate) struct Belongings(Vec<Belonging>);

pub(crate) struct Belonging {
    pub(crate) sku: String,
    pub(crate) kind: Kind,
    /// The number of pieces that were got and not used up.
    pub(crate) quantity: u64,
    /// The end of a subscription.
    pub(crate) ends_at: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Consumable,
    NonConsumable,
    /// It lasts so long for each piece.
    Subscription(Duration),
}

/// The reason for which nothing is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotConsumed {
    NotConsumable,
    TooFew,
}

impl Kind {
    /// Reads the kind of an item. One that is not for sale, or does not say what it is, is used up.
    fn of(item: Option<&Value>) -> Self {
        let kind = item.and_then(|item| item.get("virtual_item_type")?.as_str());
        match kind {
            Some("non_consumable") => Self::NonConsumable,
            Some("non_renewing_subscription") => {
                Self::Subscription(item.and_then(life).unwrap_or(MONTH))
            }
            _ => Self::Consumable,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Consumable => "consumable",
            Self::NonConsumable => "non_consumable",
            Self::Subscription(_) => "non_renewing_subscription",
        }
    }
}

/// How long a piece of a subscription lasts.
fn life(item: &Value) -> Option<Duration> {
    let period = item.get("inventory_options")?.get("expiration_period")?;
    let unit = match period.get("type")?.as_str()? {
        "minute" => Duration::from_secs(60),
        "hour" => Duration::from_secs(60 * 60),
        "day" => DAY,
        "week" => DAY * 7,
        "year" => DAY * 365,
        _ => MONTH,
    };
    let value = period.get("value")?.as_u64()?;
    Some(unit.saturating_mul(u32::try_from(value).ok()?))
}

impl Belonging {
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.kind, Kind::Subscription(_)) && self.ends_at <= SystemTime::now()
    }
}

impl Belongings {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Belonging> {
        self.0.iter()
    }

    pub(crate) fn get(&self, sku: &str) -> Option<&Belonging> {
        self.0.iter().find(|owned| owned.sku == sku)
    }

    fn get_mut(&mut self, sku: &str) -> Option<&mut Belonging> {
        self.0.iter_mut().find(|owned| owned.sku == sku)
    }

    fn add(&mut self, sku: &str, quantity: u64, kind: Kind) {
        if self.get(sku).is_none() {
            self.0.push(Belonging {
                sku: sku.to_owned(),
                kind,
                quantity: 0,
                ends_at: SystemTime::UNIX_EPOCH,
            });
        }
        if let Some(owned) = self.get_mut(sku) {
            owned.quantity = owned.quantity.saturating_add(quantity);
            if let Kind::Subscription(life) = owned.kind {
                let begin = owned.ends_at.max(SystemTime::now());
                let end = begin.checked_add(times(life, quantity));
                owned.ends_at = end.unwrap_or(begin);
            }
        }
    }

    fn remove(&mut self, sku: &str, quantity: u64) {
        if let Some(owned) = self.get_mut(sku) {
            owned.quantity = owned.quantity.saturating_sub(quantity);
            if let Kind::Subscription(life) = owned.kind {
                let end = owned.ends_at.checked_sub(times(life, quantity));
                owned.ends_at = end.unwrap_or(SystemTime::UNIX_EPOCH);
            }
        }
        self.0.retain(|owned| owned.quantity > 0);
    }

    pub(crate) fn end(&mut self, sku: &str) -> bool {
        let owned = self.get_mut(sku);
        let subscription = owned.filter(|owned| matches!(owned.kind, Kind::Subscription(_)));
        subscription.is_some_and(|subscription| {
            subscription.ends_at = SystemTime::now();
            true
        })
    }
}

fn times(life: Duration, quantity: u64) -> Duration {
    life.saturating_mul(u32::try_from(quantity).unwrap_or(u32::MAX))
}

/// What an order brings: what is in bundles, and bonus items, but no virtual currency.
fn goods(order: &Order) -> Vec<(String, u64)> {
    let mut goods = Vec::new();
    for line in &order.lines {
        let offer = &line.offer;
        if offer.content.is_empty() && offer.kind != "virtual_currency" {
            goods.push((line.sku.clone(), line.quantity));
        }
        for part in offer.content.iter().chain(&offer.bonus) {
            if part.kind != "virtual_currency" {
                let quantity = part.quantity.saturating_mul(line.quantity);
                goods.push((part.sku.clone(), quantity));
            }
        }
    }
    goods
}

impl State {
    /// Gives the player what an order brings that was paid for, or takes it back from a refunded one.
    pub(crate) fn move_goods(&mut self, order_id: OrderId, is_bought: bool) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        let Some(account) = self.accounts.get_mut(order.account) else {
            return;
        };
        for (sku, quantity) in goods(order) {
            if is_bought {
                let kind = kind_of(&self.catalog, &sku);
                account.belongings.add(&sku, quantity, kind);
            } else {
                account.belongings.remove(&sku, quantity);
            }
        }
    }

    pub(crate) fn consume(
        &mut self,
        account: AccountId,
        sku: &str,
        quantity: u64,
    ) -> Result<(), NotConsumed> {
        let account = self.accounts.get_mut(account);
        let belongings = &mut account.ok_or(NotConsumed::TooFew)?.belongings;
        let owned = belongings.get(sku).ok_or(NotConsumed::TooFew)?;
        if owned.kind != Kind::Consumable {
            return Err(NotConsumed::NotConsumable);
        }
        if owned.quantity < quantity {
            return Err(NotConsumed::TooFew);
        }
        belongings.remove(sku, quantity);
        Ok(())
    }
}

fn kind_of(catalog: &Catalog, sku: &str) -> Kind {
    Kind::of(catalog.find(sku))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::emulator::world::order::Line;

    fn state() -> (State, AccountId) {
        let mut state = State::default();
        state.catalog = Catalog::from_value(json!([
            {"sku": "potion", "virtual_item_type": "consumable"},
            {"sku": "sword", "virtual_item_type": "non_consumable"},
            {"sku": "pass", "virtual_item_type": "non_renewing_subscription",
             "inventory_options": {"expiration_period": {"type": "day", "value": 7}}},
            {"sku": "gold", "type": "virtual_currency"},
            {"sku": "set", "type": "bundle", "content": [
                {"sku": "sword", "quantity": 1}, {"sku": "potion", "quantity": 3},
                {"sku": "gold", "type": "virtual_currency", "quantity": 100}]},
        ]));
        let account = state.accounts.find_or_create("alice");
        (state, account)
    }

    fn buy(state: &mut State, account: AccountId, sku: &str, quantity: u64) -> OrderId {
        let offer = state.catalog.offer(sku).unwrap();
        let line = Line {
            sku: sku.to_owned(),
            quantity,
            offer,
        };
        let order = state.create_order(account, vec![line]);
        state.set_status(order, "paid");
        state.set_status(order, "done");
        order
    }

    fn owned(state: &State, account: AccountId) -> Vec<(&str, u64)> {
        let belongings = &state.accounts.get(account).unwrap().belongings;
        let belongings = belongings.iter();
        belongings
            .map(|it| (it.sku.as_str(), it.quantity))
            .collect()
    }

    #[test]
    fn a_bundle_brings_what_is_in_it_but_no_currency_and_a_refund_takes_it_away() {
        let (mut state, account) = state();
        buy(&mut state, account, "potion", 2);
        let set = buy(&mut state, account, "set", 2);
        buy(&mut state, account, "gold", 5);
        assert_eq!(owned(&state, account), [("potion", 8), ("sword", 2)]);
        state.consume(account, "potion", 7).unwrap();
        state.set_status(set, "canceled");
        assert!(owned(&state, account).is_empty());
        // What was used up too much is no debt.
        buy(&mut state, account, "potion", 1);
        assert_eq!(owned(&state, account), [("potion", 1)]);
    }

    #[test]
    fn only_what_is_there_and_can_be_used_up_is_used_up() {
        let (mut state, account) = state();
        buy(&mut state, account, "potion", 2);
        buy(&mut state, account, "sword", 1);
        let mut consume = |sku, quantity| state.consume(account, sku, quantity);
        assert_eq!(consume("potion", 3), Err(NotConsumed::TooFew));
        assert_eq!(consume("nothing", 1), Err(NotConsumed::TooFew));
        assert_eq!(consume("sword", 1), Err(NotConsumed::NotConsumable));
        assert_eq!(consume("potion", 2), Ok(()));
        assert_eq!(owned(&state, account), [("sword", 1)]);
    }

    #[test]
    fn a_subscription_that_is_bought_again_lasts_longer() {
        let (mut state, account) = state();
        let left = |state: &State| {
            let belongings = &state.accounts.get(account).unwrap().belongings;
            let end = belongings.get("pass").unwrap().ends_at;
            let left = end.duration_since(SystemTime::now()).unwrap_or_default();
            left.as_secs().div_ceil(DAY.as_secs())
        };
        buy(&mut state, account, "pass", 1);
        assert_eq!(left(&state), 7);
        let second = buy(&mut state, account, "pass", 2);
        assert_eq!(left(&state), 21);
        state.set_status(second, "canceled");
        assert_eq!(left(&state), 7);
        let belongings = &mut state.accounts.get_mut(account).unwrap().belongings;
        assert!(belongings.end("pass") && !belongings.end("sword"));
        assert!(belongings.get("pass").unwrap().has_ended());
        buy(&mut state, account, "pass", 1);
        assert_eq!(left(&state), 7);
    }
}
