//! Players, their tokens, and their balances of virtual currencies.

use std::time::Duration;

use rust_decimal::prelude::ToPrimitive;

use super::emulator::XsollaEmulator;
use super::error::misused;
use crate::emulator::world::accounts::AccountId;
use crate::emulator::world::error::EmulatorError;
use crate::emulator::world::state::State;
use crate::emulator::world::tokens::LIFETIME;
use crate::model::user::XsollaUser;

/// # Players
impl XsollaEmulator {
    /// A logged-in player, with a fresh token that is good for a day. The same name is the same
    /// player, with the same orders.
    pub fn user(&self, name: &str) -> XsollaUser {
        XsollaUser::new(self.token(name))
    }

    /// A logged-in player whose token is accepted for this long. The token's own `exp` claim is in
    /// whole seconds, rounded up.
    pub fn user_for(&self, name: &str, lifetime: Duration) -> XsollaUser {
        XsollaUser::new(self.token_for(name, lifetime))
    }

    /// A fresh token of this player as text, for shops that talk to Xsolla's servers themselves.
    pub fn token(&self, name: &str) -> String {
        self.token_for(name, LIFETIME)
    }

    /// A fresh token as text that is accepted for this long.
    pub fn token_for(&self, name: &str, lifetime: Duration) -> String {
        self.shared.lock().log_in(name, lifetime)
    }

    /// Takes back every token of this player, as when they log out elsewhere: requests and new
    /// sockets are refused as unauthorized. Open sockets stay open, and
    /// [refresh tokens](Self::revoke_refresh_tokens) stay good.
    pub fn revoke_tokens(&self, name: &str) {
        let mut state = self.shared.lock();
        if let Some(account) = state.accounts.find(|account| account.name == name) {
            state.tokens.revoke(account);
        }
    }

    /// Sets how much of a virtual currency a player has. Purchases are taken from it. An order for more than they
    /// have is refused (422, `0401-5006`), and a refund brings nothing back.
    ///
    /// A player whose balance was never set can afford anything.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn set_balance(&self, user: &XsollaUser, currency: &str, amount: u64) {
        let mut state = self.shared.lock();
        let account = account_of(&state, user);
        if let Some(account) = state.accounts.get_mut(account) {
            let balances = &mut account.balances;
            balances.insert(currency.to_owned(), amount.into());
        }
    }

    /// The whole coins of a virtual currency that a player has left; `None` where the balance was never
    /// [set](Self::set_balance).
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn balance(&self, user: &XsollaUser, currency: &str) -> Option<u64> {
        let state = self.shared.lock();
        let account = state.accounts.get(account_of(&state, user))?;
        account.balances.get(currency)?.to_u64()
    }

    /// How many pieces of an item a player has got by paid orders and not used up. A subscription that has ended counts,
    /// and an order that is refunded takes its pieces away.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn owned(&self, user: &XsollaUser, sku: &str) -> u64 {
        let state = self.shared.lock();
        let account = state.accounts.get(account_of(&state, user));
        let owned = account.and_then(|account| account.belongings.get(sku));
        owned.map_or(0, |owned| owned.quantity)
    }

    /// Lets a player's subscription end now.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's, or has no such subscription.
    #[track_caller]
    pub fn end_subscription(&self, user: &XsollaUser, sku: &str) {
        let mut state = self.shared.lock();
        let account = account_of(&state, user);
        let account = state.accounts.get_mut(account);
        if !account.is_some_and(|account| account.belongings.end(sku)) {
            misused(&format!("the player has no subscription `{sku}`"));
        }
    }
}

/// Finds the account of a user by the subject of the token. A token that has expired or was revoked names its
/// player, too.
pub(crate) fn find_account(state: &State, user: &XsollaUser) -> Result<AccountId, EmulatorError> {
    let subject = user.id().as_str().strip_prefix("s:");
    subject
        .and_then(|subject| state.accounts.find(|account| account.subject == subject))
        .ok_or(EmulatorError::UnknownUser)
}

#[track_caller]
pub(crate) fn account_of(state: &State, user: &XsollaUser) -> AccountId {
    match find_account(state, user) {
        Ok(account) => account,
        Err(error) => misused(&error.to_string()),
    }
}
