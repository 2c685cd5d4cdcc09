//! The inventories: what paid orders have brought, less what was refunded and used up.

use super::accounts::AccountId;
use super::belongings::Kind;
use super::order::Order;
use super::state::State;
use crate::model::order::OrderId;

/// The reason for which nothing is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotConsumed {
    NotConsumable,
    TooFew,
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
                let kind = Kind::of(self.catalog.find(&sku));
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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;
    use crate::emulator::world::catalog::Catalog;
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
            left.as_secs().div_ceil(24 * 60 * 60)
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
